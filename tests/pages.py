"""The pages of the documentation, and what stands in them: code blocks, commands, links, names."""

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
PAGES = (
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "data" / "README.md",
    REPOSITORY / "benchmarks" / "README.md",
    *sorted(DOCS.rglob("*.md")),
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


def title(page: Path) -> str:
    """What a test calls a page."""
    return page.relative_to(REPOSITORY).as_posix()


def text(page: Path) -> str:
    """The page's text."""
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """The text without code blocks."""
    return BLOCK.sub("", text(page))


def blocks(page: Path, *languages: str) -> list[str]:
    """The code blocks in these languages, in their order."""
    return [code for language, code in BLOCK.findall(text(page)) if language in languages]


def file_of(code: str) -> str | None:
    """The file that a block shows the content of: its first line is a comment with the path."""
    found = re.match(r"# ([\w/]+\.(?:py|yaml))\n", code)
    return found.group(1) if found else None


class Command(NamedTuple):
    """A command of a page, split into words."""

    page: Path
    words: tuple[str, ...]

    @property
    def program(self) -> str:
        """``train``, ``evaluate``, ``normals``, ... of our own; otherwise the first word."""
        own = self.words[0] == "tensorframes" or self.words[:2] in (("python", "train.py"), ("python", "evaluate.py"))
        return self.words[1].removesuffix(".py") if own else self.words[0]


def commands() -> Iterator[Command]:
    """All commands of all pages."""
    for page in PAGES:
        for line in itertools.chain.from_iterable(block.splitlines() for block in blocks(page, "bash")):
            if words := shlex.split(line, comments=True):
                yield Command(page, tuple(words))


def composed() -> Iterator[tuple[str, tuple[str, ...]]]:
    """(configuration, overrides) of every command that composes one; of a sweep its first and its last run."""
    for command in commands():
        words = command.words[2:]
        if command.program == "docker" and "run" in command.words:
            image = command.words.index("tensorframes")
            if command.words[image + 1] == "train":
                yield "train", command.words[image + 2 :]
        elif command.program not in ("train", "evaluate", "reproduce", "download", "shards") or "--config-dir" in words:
            continue
        elif "-m" in words:
            swept = [word.partition("=") for word in words if word != "-m"]
            choices = [[f"{key}={value}" for value in values.split(",")] for key, _, values in swept]
            yield command.program, tuple(values[0] for values in choices)
            yield command.program, tuple(values[-1] for values in choices)
        else:
            yield command.program, words
