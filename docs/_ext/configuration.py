"""A Sphinx extension: the line ``% configuration`` of a page becomes the reference of all files in ``configs/``.

Every file becomes a table of its options: the full name, the default and the comment that stands beside it in the file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from sphinx.application import Sphinx
from sphinx.errors import SphinxError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
PLACE = "% configuration"
PROGRAMS = ("train", "evaluate", "reproduce", "download", "shards")
LAST = ("launcher", "scale", "target", "experiment")  # Hydra's own settings, those of `reproduce`, and overrides


@dataclass(frozen=True)
class Option:
    """One option of a file: its name within the file, its default as written there, and its comment."""

    name: str
    default: str
    comment: str


def options(text: str) -> Iterator[Option]:
    """The options of a YAML file in their order, nested ones with dots; ``defaults`` left out."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is not None:
        yield from _options(root, text, "")


def _options(node: yaml.Node, text: str, prefix: str) -> Iterator[Option]:
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        if name == "defaults":
            continue
        block = not getattr(value, "flow_style", None) and not isinstance(value, yaml.ScalarNode)
        if isinstance(value, yaml.MappingNode) and block:
            if comment := _comment(text, key.end_mark.index):
                yield Option(name, "", comment)
            yield from _options(value, text, f"{name}.")
            continue
        written = text[value.start_mark.index : value.end_mark.index]
        default = "[" + ", ".join(item.value for item in value.value) + "]" if block else " ".join(written.split())
        yield Option(name, default, _comment(text, key.end_mark.index if block else value.end_mark.index))


def _comment(text: str, start: int) -> str:
    """The comment that ends the line."""
    found = re.match(r":?[ \t]*#[ \t]*(.*)", text[start:].split("\n", 1)[0])
    return found.group(1).strip() if found else ""


def opening_comment(text: str) -> str:
    """The comment a file begins with, without Hydra's directive."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            lines.append(line.lstrip("# "))
    return " ".join(lines)


def includes(text: str) -> list[str]:
    """The entries of the defaults list, as ``group=name`` or a file's name."""
    content = yaml.safe_load(text) or {}
    entries = content.get("defaults", []) if isinstance(content, dict) else []
    pairs = [pair for entry in entries if isinstance(entry, dict) for pair in entry.items()]
    named = [f"{key.removeprefix('override ')}={'null' if value is None else value}" for key, value in pairs]
    return named + [entry for entry in entries if isinstance(entry, str) and entry != "_self_"]


def packages(files: list[Path]) -> dict[str, str]:
    """Where groups are placed other than under their own name: ``group@package`` in a defaults list."""
    entries = (entry for file in files for entry in includes(file.read_text(encoding="utf-8")) if "@" in entry)
    places = {}
    for entry in entries:
        group, _, package = entry.partition("=")[0].partition("@")
        places[group.rpartition("/")[2]] = package
    return places


def section(file: Path, placed: dict[str, str]) -> str:
    """The heading, the text and the table of one file."""
    text, group = file.read_text(encoding="utf-8"), file.parent.relative_to(CONFIGS).as_posix()
    whole = group == "." or "@package _global_" in text
    prefix = "" if whole else f"{group.replace('/', '.')}."
    if group == "data/sampling":
        prefix = f"data.{placed.get(file.stem, f'samplings.{file.stem}')}."
    if "@package hydra" in text:
        prefix = "hydra."
    heading = f"## `{file.name}`" if group == "." else f"### `{group}={file.stem}`"
    lines = [heading, "", opening_comment(text), ""]
    if included := includes(text):
        lines += ["Includes " + ", ".join(f"`{entry}`" for entry in included) + ".", ""]
    rows = list(options(text))
    targets = [row for row in rows if row.name == "_target_"]
    lines += [line for row in targets for line in (f"Builds {{py:obj}}`{row.default}`.", "")]
    shown = [row for row in rows if not row.name.endswith(("_partial_", "_self_")) and row.name != "_target_"]
    if shown:
        lines += ["| option | default | meaning |", "|---|---|---|"]
        lines += [f"| {_code(prefix + row.name)} | {_default(row)} | {_cell(row.comment)} |" for row in shown]
    return "\n".join([*lines, ""])


def _default(option: Option) -> str:
    """The default; a class is linked to its description."""
    if option.name.endswith("_target_"):
        return f"{{py:obj}}`{option.default}`"
    return _code(option.default)


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def reference(configs: Path = CONFIGS) -> str:
    """The whole reference as Markdown: the programs' files, then group by group."""
    files = sorted(configs.rglob("*.yaml"))
    placed = packages(files)
    parts = [section(configs / f"{name}.yaml", placed) for name in PROGRAMS if (configs / f"{name}.yaml") in files]
    groups = sorted({file.parent.relative_to(configs).as_posix() for file in files} - {"."})
    for group in sorted(groups, key=lambda name: (name in LAST, name)):
        members = [file for file in files if file.parent == configs / group]
        names = ", ".join(f"`{file.stem}`" for file in members)
        parts += [f"## `{group}`\n\nOne of {names}.\n", *(section(file, placed) for file in members)]
    return "\n".join(parts)


def _insert(app: Sphinx, page: str, source: list[str]) -> None:
    if page != "configuration":
        return
    if PLACE not in source[0].splitlines():
        raise SphinxError(f"expected a line {PLACE!r} in {page}.md, got none")
    source[0] = source[0].replace(PLACE, reference())


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _insert)
    return {"parallel_read_safe": True}
