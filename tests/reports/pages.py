"""What a page of a report holds, read without a browser."""

import base64
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

VOID = {"meta", "link", "img", "br", "input"}


class Page(HTMLParser):
    """Elements and texts of a page.

    Attributes:
        loaded: what ``src`` and ``href`` name. policy: of its content. text: what the reader sees. drawings: its data.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.ids: list[str] = []
        self.policy, self.text, self.data = "", "", ""
        self.open: list[tuple[str, str]] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.open == []
        self.drawings: dict[str, Any] = json.loads(self.data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.loaded += [given[name] for name in ("src", "href") if name in given]
        self.ids += [given["id"]] if "id" in given else []
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]
        if tag not in VOID:
            self.open.append((tag, given.get("id", "")))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        where = self.open[-1] if self.open else ("", "")
        if where == ("script", "drawings"):
            self.data += data
        elif where[0] not in ("script", "style"):
            self.text += data + "\n"


def unpacked(text: str, dtype: str = "<f4") -> np.ndarray:
    """The array that ``packed`` made text of."""
    return np.frombuffer(base64.b64decode(text), dtype)
