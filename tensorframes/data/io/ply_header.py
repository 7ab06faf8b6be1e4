"""The header of a PLY file by lines, so that it can be written unchanged.

Source: Turk, *The PLY Polygon File Format*, 1994. Comments may be UTF-8, may stand anywhere and are kept in place.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tensorframes.errors import UserError

TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8", "int64": "i8", "uint64": "u8", "float16": "f2",
}  # fmt: skip
"""Types of properties; the last three are in use but not part of the format."""

WORDS = {
    "i1": "char",
    "u1": "uchar",
    "i2": "short",
    "u2": "ushort",
    "i4": "int",
    "u4": "uint",
    "f4": "float",
    "f8": "double",
}
"""Names of the types in new lines."""

ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}

END = re.compile(rb"(?:^|[\r\n])end_header[ \t]*(\r\n|\n|\r|$)")


@dataclass(frozen=True)
class Property:
    """One property of an element.

    Args:
        name: as the file has it.
        kind: type of its numbers, as NumPy spells it.
        length: of a list, type of the count; empty otherwise.
        line: index of its line in the header.
    """

    name: str
    kind: str
    length: str = ""
    line: int = 0


@dataclass(frozen=True)
class Element:
    """One element: its name, number of rows, properties, and index of its line."""

    name: str
    count: int
    properties: tuple[Property, ...] = ()
    line: int = 0

    @property
    def has_lists(self) -> bool:
        """Whether rows may have different lengths."""
        return any(each.length for each in self.properties)


@dataclass(frozen=True)
class Header:
    """The lines of the header from `ply` to `end_header`, their line end, and their content.

    Args:
        lines: all of them. newline: what ends a line.
        order: "<" or ">" of binary numbers, or empty for text.
        elements: in the file's order.
    """

    lines: tuple[str, ...]
    newline: str
    order: str
    elements: tuple[Element, ...]

    def encoded(self, lines: list[str]) -> bytes:
        """Lines as bytes."""
        return "".join(line + self.newline for line in lines).encode("utf-8", "surrogateescape")


def read_header(path: Path, content: bytes) -> tuple[Header, int]:
    """The header, and the offset of the data.

    Raises:
        UserError: it is not one of a PLY file.
    """
    found = END.search(content)
    if not re.match(rb"ply[ \t]*[\r\n]", content) or found is None:
        raise UserError(f"{path}: expected a PLY file, got no header from ply to end_header")
    text = content[: found.end()].decode("utf-8", "surrogateescape")
    newline = "\r\n" if "\r\n" in text else "\n" if "\n" in text else "\r"
    end = found.end()
    if newline == "\r" and found[1] == b"\r\n":  # this \n is a number's first byte
        end -= 1
    lines = tuple(text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n"))
    try:
        order, elements = _parse(lines)
    except (ValueError, KeyError, IndexError) as error:
        raise UserError(f"{path}: expected a PLY file, got a header with {error}") from error
    return Header(lines, newline, order, elements), end


def _parse(lines: tuple[str, ...]) -> tuple[str, tuple[Element, ...]]:
    order, elements = None, []
    for index, line in enumerate(lines):
        words = line.split()
        if not words or words[0] in ("ply", "comment", "obj_info", "end_header"):
            continue
        if words[0] == "format" and len(words) >= 2 and words[1] in ORDERS:
            order = ORDERS[words[1]]
        elif words[0] == "element" and len(words) == 3 and words[2].isdigit():
            elements.append(Element(words[1], int(words[2]), (), index))
        elif words[0] == "property" and elements and len(words) >= 3:
            last = elements[-1]
            elements[-1] = Element(last.name, last.count, (*last.properties, _property(words, index)), last.line)
        else:
            raise ValueError(f"the line {line.strip()[:60]!r}")
    if order is None:
        raise ValueError("no known format")
    return order, tuple(elements)


def _property(words: list[str], index: int) -> Property:
    listed = words[1] == "list"
    kinds, name = (words[2:4], words[4:]) if listed else (words[1:2], words[2:])
    if not name or any(kind not in TYPES for kind in kinds):
        raise ValueError(f"the line {' '.join(words)[:60]!r}")
    return Property(" ".join(name), TYPES[kinds[-1]], TYPES[kinds[0]] if listed else "", index)
