"""PCD: ascii, binary and binary_compressed; organisation, viewpoint, padding and fields of any COUNT are preserved."""

import struct
from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.axes import fresh
from tensorframes.data.io.colours import pack_colours
from tensorframes.data.io.columns import Columns
from tensorframes.data.io.dialect import Dialect
from tensorframes.data.io.pcd_header import Header, read_header
from tensorframes.data.io.splice import Splice, splice_line
from tensorframes.data.io.standard import standard
from tensorframes.data.io.surplus import note_on_bytes, note_on_lines
from tensorframes.data.io.types import SMALL, exact_type, in_range
from tensorframes.data.io.values import read_table, texts_of
from tensorframes.words import counted

NORMAL = ("normal_x", "normal_y", "normal_z")
"""Names of normals in PCL."""

TYPES = (*SMALL, "i8", "u8")
LARGEST_RATIO = 300
"""Largest expansion of LZF; a header with more is corrupt."""


@dataclass(frozen=True, eq=False)
class PcdOrigin:
    """A PCD file: header, rows with padding, and the text of the rows of an ascii file."""

    header: Header
    rows: NDArray
    lines: tuple[str, ...] = ()


class PcdFormat:
    """All fields but padding are columns; those with COUNT above 1 have several numbers per row."""

    name = "PCD"
    suffixes = (".pcd",)
    refusal = ""

    def read(self, path: Path, content: bytes) -> Columns:
        """The points, including rows that are not finite (of organised clouds)."""
        content = content.removeprefix(BOM_UTF8)
        header, start = read_header(path, content)
        body = content[start:]
        lines: tuple[str, ...] = ()
        notes: tuple[str, ...] = ()
        if header.encoding == "ascii":
            lines = tuple(line for line in body.decode("latin-1").split("\n") if line.strip())
            rows, notes = _from_text(header, lines), note_on_lines(lines, header.points)
        elif header.encoding == "binary":
            rows = _from_binary(header, body)
            notes = note_on_bytes(body, rows.nbytes)
        else:
            rows = _from_compressed(header, body)
        table = rows if len(header.columns) == len(header.names) else _packed(rows, header.columns)
        origin = PcdOrigin(header, rows, lines)
        return Columns(table, origin, ".pcd", sensor=header.viewpoint, shape=header.shape, notes=notes)

    def unkept(self, columns: Columns) -> tuple[str, ...]:
        """Columns that are not numeric."""
        return tuple(name for name in columns.names if exact_type(columns.table[name], TYPES) is None)

    def write(self, file: BinaryIO, columns: Columns, suffix: str) -> None:
        """The original file with new and changed columns; other points as binary."""
        origin = columns.origin
        own = isinstance(origin, PcdOrigin) and len(origin.rows) == len(columns.table)
        if not (isinstance(origin, PcdOrigin) and own and set(origin.header.columns) <= set(columns.names)):
            columns = pack_colours(standard(replace(columns, origin=None), NORMAL))
            origin = _empty_origin(columns)
        else:
            columns = columns.renamed(_new_names(columns, origin))
        header, rows = _written(columns, origin)
        file.write("".join(line + "\n" for line in header.lines).encode("utf-8", "surrogateescape"))
        if header.encoding == "ascii":
            file.write(("\n".join(_text_lines(columns, origin, header)) + "\n").encode())
        elif header.encoding == "binary":
            file.write(rows.tobytes())
        else:
            file.write(_compressed(rows))


def _from_text(header: Header, lines: tuple[str, ...]) -> NDArray:
    """Rows of an ascii file."""
    if len(lines) < header.points:
        raise ValueError(f"expected {counted(header.points, 'row')}, got {len(lines)}")
    rows = np.zeros(header.points, dtype=header.row)
    if header.points == 0:
        return rows
    values = read_table(lines[: header.points], sum(header.counts))
    place = 0
    if values.shape[1] != sum(header.counts):
        raise ValueError(f"expected {sum(header.counts)} numbers a row, got {values.shape[1]}")
    for name, kind, count in zip(header.names, header.kinds, header.counts, strict=True):
        columns = values[:, place : place + count]
        if kind in ("i8", "u8"):
            used = range(place, place + count)
            columns = np.loadtxt(lines[: header.points], ndmin=2, comments=None, usecols=used, dtype=kind)
        elif kind[0] in "iu" and not in_range(kind, columns):
            raise ValueError(f"expected whole numbers of {8 * int(kind[1])} bits in {name}, got others")
        with np.errstate(over="ignore"):
            rows[name] = columns.reshape(rows[name].shape)
        place += count
    return rows


def _from_binary(header: Header, body: bytes) -> NDArray:
    size = header.points * header.row.itemsize
    if len(body) < size:
        raise ValueError(f"expected {counted(header.points, 'row')}, {size} bytes, got {len(body)} bytes")
    return np.frombuffer(body, header.row, header.points)


def _from_compressed(header: Header, body: bytes) -> NDArray:
    """Rows of a compressed file, which stores the fields one after the other."""
    import lzf

    if header.points == 0:
        return np.zeros(0, dtype=header.row)
    if len(body) < 8:
        raise ValueError(f"expected compressed rows, got {len(body)} bytes")
    packed, size = struct.unpack("<II", body[:8])
    expected = header.points * header.row.itemsize
    if len(body) < 8 + packed or size != expected or size > LARGEST_RATIO * max(packed, 1):
        raise ValueError(
            f"expected {expected} bytes, compressed to {packed}, got {size}, compressed to {len(body) - 8}"
        )
    data = lzf.decompress(body[8 : 8 + packed], size) if packed else None
    if data is None or len(data) != size:
        raise ValueError("expected compressed rows, got bytes that are none")
    rows, place = np.zeros(header.points, dtype=header.row), 0
    for name in header.names:
        count = rows[name].nbytes
        rows[name] = np.frombuffer(data, header.row[name].base, offset=place, count=rows[name].size).reshape(
            rows[name].shape
        )
        place += count
    return rows


def _compressed(rows: NDArray) -> bytes:
    import lzf

    data = b"".join(np.ascontiguousarray(rows[name]).tobytes() for name in rows.dtype.names or ())
    packed = lzf.compress(data, len(data) + len(data) // 16 + 64) if data else b""
    if packed is None:
        raise ValueError("expected rows that can be compressed, got others")
    return struct.pack("<II", len(packed), len(data)) + packed


def _packed(rows: NDArray, names: Sequence[str]) -> NDArray:
    table = np.empty(len(rows), dtype=[(name, rows.dtype[name]) for name in names])
    for name in names:
        table[name] = rows[name]
    return table


def _empty_origin(columns: Columns) -> PcdOrigin:
    """An origin without fields. VIEWPOINT is one place: (3,) of the sensor, or the origin, which is the default."""
    count, sensor = len(columns.table), columns.sensor
    height, width = columns.grid or (1, count)
    place = " ".join(f"{number:.17g}" for number in (sensor if sensor is not None and sensor.ndim == 1 else (0, 0, 0)))
    lines = (
        "# .PCD v0.7 - Point Cloud Data file format",
        "VERSION 0.7", "FIELDS", "SIZE", "TYPE", "COUNT",
        f"WIDTH {width}", f"HEIGHT {height}", f"VIEWPOINT {place} 1 0 0 0", f"POINTS {count}", "DATA binary",
    )  # fmt: skip
    return PcdOrigin(Header(lines, (), (), (), count, "binary"), np.zeros(count, dtype=[]))


def _new_names(columns: Columns, origin: PcdOrigin) -> dict[str, str]:
    """Normals that this file did not have get PCL's names, if these are free."""
    new = [name for name in columns.normals if name not in origin.header.columns]
    return dict(zip(new, columns.normal_names(NORMAL), strict=True)) if len(new) == 3 else {}


def _written(columns: Columns, origin: PcdOrigin) -> tuple[Header, NDArray]:
    """The header and the rows with the columns that are new or changed, in the file's order."""
    old = origin.header
    kinds = dict(zip(old.names, old.kinds, strict=True))
    for name in columns.names:
        kind = exact_type(columns.table[name], TYPES)
        if kind is not None and (name not in kinds or name in columns.changed):
            kinds[name] = kind.str[1:]
    new = [name for name in columns.names if name not in old.names]
    counts = [*old.counts, *(int(np.prod(columns.table.dtype[name].shape, dtype=int)) for name in new)]
    fields = [*old.fields, *fresh(["_".join(name.split()) for name in new], old.fields)]
    entries = {"fields": fields, "columns": fields, "count": [str(count) for count in counts]}
    entries["size"] = [kind[1] for kind in kinds.values()]
    entries["type"] = [kind[0].upper() for kind in kinds.values()]
    lines = []
    for line in old.lines:
        words = line.split()
        lines.append(
            " ".join((words[0], *entries[words[0].lower()])) if words and words[0].lower() in entries else line
        )
    header = Header(tuple(lines), tuple(fields), tuple(kinds.values()), tuple(counts), old.points, old.encoding)
    rows = np.zeros(len(columns.table), dtype=header.row)
    for name, own in zip(header.names, (*old.names, *new), strict=True):
        source = columns.table if own in columns.names else origin.rows
        rows[name] = source[own].reshape(rows[name].shape)
    return header, rows


def _text_lines(columns: Columns, origin: PcdOrigin, header: Header) -> list[str]:
    """The lines of the file with the columns that are new or changed put in."""
    old, places, place = origin.header, {}, 0
    for name, count in zip(old.names, old.counts, strict=True):
        places[name], place = place, place + count
    replaced = {
        places[name] + index: texts
        for name in columns.changed
        if name in places
        for index, texts in enumerate(_texts(columns.table[name]))
    }
    appended = [texts for name in columns.names if name not in places for texts in _texts(columns.table[name])]
    splice = Splice(replaced, appended)
    return [splice_line(Dialect(), line.strip(), splice, row) for row, line in enumerate(origin.lines[: header.points])]


def _texts(values: NDArray) -> list[list[str]]:
    return [texts_of(column) for column in values.reshape(len(values), -1).T]
