"""Stored measurements: a JSON file for each part, with its items, and ``whole`` once all were tried."""

import json
from pathlib import Path
from typing import Any

Entries = dict[str, dict[str, Any]]


def read(file: Path) -> Entries:
    """The items of a part; none if there is no file."""
    return {item: entry for item, entry in _content(file).items() if item != "whole"}


def is_done(entry: dict[str, Any]) -> bool:
    """Whether an item was measured, and not only in part."""
    return "failed" not in entry and not entry.get("partial", False)


def is_whole(file: Path) -> bool:
    """Whether every item of a part is done."""
    return "whole" in _content(file) and all(map(is_done, read(file).values()))


def _content(file: Path) -> Entries:
    found: Entries = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return found
