"""The header of a PCD file.

Source: *The PCD (Point Cloud Data) file format*, pointclouds.org.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.axes import readable, unique
from tensorframes.data.io.shape import Shape, organised
from tensorframes.errors import UserError

KEYS = ("version", "fields", "columns", "size", "type", "count", "width", "height", "viewpoint", "points", "data")
ENCODINGS = ("ascii", "binary", "binary_compressed")
PADDING = "_"
"""Name of padding fields, which may repeat."""


@dataclass(frozen=True)
class Header:
    """A PCD header.

    Args:
        lines: as they are, without ends, up to DATA.
        fields: names as the file has them.
        kinds: of each field the type of its numbers, as NumPy spells it.
        counts: of each field how many numbers there are in a row.
        points: number of rows.
        encoding: ascii, binary or binary_compressed.
        shape: HEIGHT and WIDTH of an organised cloud.
    """

    lines: tuple[str, ...]
    fields: tuple[str, ...]
    kinds: tuple[str, ...]
    counts: tuple[int, ...]
    points: int
    encoding: str
    shape: Shape = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns: those of the fields, made unique."""
        return unique([readable(field) for field in self.fields], "field")

    @property
    def row(self) -> np.dtype:
        """The type of one row in a binary file, padding included."""
        return np.dtype(
            [
                (name, f"<{kind}", (count,) if count != 1 else ())
                for name, kind, count in zip(self.names, self.kinds, self.counts, strict=True)
            ]
        )

    @property
    def viewpoint(self) -> NDArray[np.float64] | None:
        """(3,) where the points were seen from, the translation of VIEWPOINT; None if there is none."""
        words = next((line.split() for line in self.lines if line.upper().startswith("VIEWPOINT")), [])
        try:
            place = np.array([float(word) for word in words[1:4]])
        except ValueError:
            return None
        return place if place.shape == (3,) and np.isfinite(place).all() else None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns without padding."""
        return tuple(name for name, field in zip(self.names, self.fields, strict=True) if field != PADDING)


def read_header(path: Path, content: bytes) -> tuple[Header, int]:
    """The header, and the offset of the data.

    Raises:
        UserError: it is not one of a PCD file.
    """
    lines, place = [], 0
    while True:
        end = content.find(b"\n", place)
        line = content[place : end if end >= 0 else None].decode("utf-8", "surrogateescape").rstrip("\r")
        words = line.split()
        if words and words[0].lower() not in KEYS and not words[0].startswith("#"):
            if not line.strip().isprintable():
                raise UserError(f"{path}: expected a PCD file, got no header of text")
            raise UserError(f"{path}: expected a PCD file, got a header with the line {line.strip()[:60]!r}")
        lines.append(line)
        place = end + 1
        if words and words[0].lower() == "data":
            break
        if end < 0:
            raise UserError(f"{path}: expected a PCD file, got no header that ends with DATA")
    try:
        return _parse(tuple(lines)), place if end >= 0 else len(content)
    except IndexError as error:
        raise UserError(f"{path}: expected a PCD file, got a header with a line without its value") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: expected a PCD file, got a header with {error}") from error


def _parse(lines: tuple[str, ...]) -> Header:
    entries = {
        words[0].lower(): words[1:] for line in lines if (words := line.split()) and not words[0].startswith("#")
    }
    fields = tuple(entries.get("fields") or entries.get("columns") or ())
    if not fields:
        raise ValueError("no FIELDS")
    sizes, types = entries.get("size", ["4"] * len(fields)), entries.get("type", ["F"] * len(fields))
    counts = tuple(int(count) for count in entries.get("count", ["1"] * len(fields)))
    if not len(fields) == len(sizes) == len(types) == len(counts) or min(counts) < 1:
        raise ValueError("FIELDS, SIZE, TYPE and COUNT that disagree")
    kinds = tuple(f"{kind.lower()}{size}" for kind, size in zip(types, sizes, strict=True))
    if wrong := [
        kind for kind in kinds if kind not in ("f4", "f8", *(f"{sign}{size}" for sign in "iu" for size in (1, 2, 4, 8)))
    ]:
        raise ValueError(f"a field of TYPE {wrong[0][0].upper()} and SIZE {wrong[0][1:]}")
    width, height = int(entries["width"][0]) if "width" in entries else 0, int(entries.get("height", ["1"])[0])
    points = int(entries["points"][0]) if "points" in entries else width * height
    encoding = entries["data"][0].lower()
    if points < 0 or encoding not in ENCODINGS:
        raise ValueError(f"POINTS {points} and DATA {encoding}")
    if min(width, height) < 0 or width * height not in (0, points):  # 0 is not stated
        raise ValueError(f"WIDTH {width} and HEIGHT {height}, {width * height} points, but POINTS {points}")
    return Header(lines, fields, kinds, counts, points, encoding, organised((height, width)))
