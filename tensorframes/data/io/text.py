"""Text files of points: XYZ, TXT, ASC, CSV, PTS, as of spreadsheets, scanners and viewers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.axes import unique
from tensorframes.data.io.colours import are_colours
from tensorframes.data.io.columns import COLOUR, NORMAL, POSITION, Columns, table_of
from tensorframes.data.io.dialect import Dialect
from tensorframes.data.io.layout import Layout, Text, decode, find_layout, rows_of, shorten
from tensorframes.data.io.recognise import other_text
from tensorframes.data.io.shape import FEW
from tensorframes.data.io.splice import Splice, splice_line
from tensorframes.data.io.values import brief, read_columns, split_rows, texts_of
from tensorframes.errors import UserError
from tensorframes.words import counted

COUNTED = ".pts"
"""Suffixes of files that begin with the number of rows, without names."""

FEWEST_COUNTED = 20
"""Least number of rows for a column that counts them to be an index."""

MOST = 1000
"""Largest number of columns."""

ROWS_IF_TRANSPOSED = (1, 3, 4, 6)
"""Numbers of rows of points that lie in columns, or in one line."""

UNIT_LENGTH = 0.05
"""Largest difference from 1 of the length of a normal."""


PLAIN = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
"""A number that programs read alike."""


@dataclass(frozen=True, eq=False)
class TextOrigin:
    """A text file: its lines, and the names of its columns in the table."""

    text: Text
    layout: Layout
    names: tuple[str, ...]


class TextFormat:
    """White space, commas, semicolons, tabs or bars between fields; decimal commas; quotes; names, counts, comments."""

    name = "text"
    suffixes = (".xyz", ".txt", ".csv", ".asc", ".pts")
    refusal = ""

    def read(self, path: Path, content: bytes) -> Columns:
        """The rows of a text file; columns without names are named by `positional_names`."""
        text = decode(path, content)
        if kind := other_text(text.lines):
            raise UserError(f"{path}: expected rows of points (x y z), got {kind}")
        layout = find_layout(path, text.lines)
        if layout.width < 3:
            got = f"{layout.width}: {shorten(text.lines[layout.start].strip())}"
            raise UserError(f"{path}, line {layout.start + 1}: expected at least 3 columns (x y z), got {got}")
        if layout.width > MOST:
            raise UserError(f"{path}: expected one point a row, got {layout.width:,} columns")
        named = unique(layout.names) if layout.names else ()
        arrays = read_columns(path, text.lines, layout, _needed(named))
        if not named and len(arrays) > FEW and len(arrays[0]) in ROWS_IF_TRANSPOSED:
            got = f"{counted(len(arrays[0]), 'row')} of {len(arrays)} columns"
            raise UserError(f"{path}: expected one point a row, got {got}: transpose it, or name the columns")
        _check_count(path, text.lines, layout, len(arrays[0]))
        unset = (*POSITION, *NORMAL) if not named and _unset_normals(arrays) else ()
        names = named or unset or positional_names(arrays, path.suffix.lower())
        return Columns(
            table_of(dict(zip(names, arrays, strict=True))), TextOrigin(text, layout, names), path.suffix.lower()
        )

    def unkept(self, columns: Columns) -> tuple[str, ...]:
        """Lists of variable length, and columns of neither numbers nor text."""
        return tuple(name for name in columns.names if columns.table.dtype[name].base.kind not in "biufU")

    def write(self, file: BinaryIO, columns: Columns, suffix: str) -> None:
        """The original lines with the changed fields; other rows with the fewest digits."""
        origin = columns.origin
        if isinstance(origin, TextOrigin) and columns.suffix == suffix and set(origin.names) <= set(columns.names):
            rows = list(rows_of(origin.text.lines, origin.layout))
            if len(rows) == len(columns.table):
                file.write(origin.text.encoded(_changed_lines(origin, columns, suffix, rows)))
                return
        file.write(("\n".join(_new_lines(columns, suffix)) + "\n").encode("utf-8", "surrogateescape"))


def positional_names(arrays: Sequence[NDArray], suffix: str = "") -> tuple[str, ...]:
    """Names of the columns of a table without names.

    The first three are the position; where the first one counts the rows from 0 or 1, it is an index, and the rule
    holds for those behind it. Columns 4-6, or else the last three, are normals where most rows that are finite and
    not zero are of unit length, and one of these has a negative number: colours have none, so `1 0 0` or `255 0 0` in
    every row stay colours. If both are, it is those whose lengths are closer to 1: a confidence of 0.98 before the
    normals of a floor makes such vectors, too. Others are intensity, red, green, blue in a PTS file; red, green, blue
    if there are three of whole numbers from 0 to 255, some above 1; otherwise c4, c5, ...
    """
    count = len(arrays)
    if count > 3 and _counts_rows(arrays[0]):
        return ("index", *positional_names(arrays[1:], suffix))
    names = [*POSITION, *(f"c{index + 1}" for index in range(3, count))]
    start = _start_of_normals(arrays)
    others = [index for index in range(3, count) if start is None or not start <= index < start + 3]
    if start is not None:
        names[start : start + 3] = NORMAL
    known: dict[int, tuple[str, ...]] = {}
    if suffix == COUNTED:
        known = {1: ("intensity",), 3: COLOUR, 4: ("intensity", *COLOUR)}
    elif len(others) == 3 and are_colours([arrays[index] for index in others]):
        known = {3: COLOUR}
    for index, name in zip(others, known.get(len(others), ()), strict=False):
        names[index] = name
    return tuple(names)


def _unset_normals(arrays: Sequence[NDArray]) -> bool:
    """Whether the last three of six columns are `0.0`, as MeshLab writes normals of a cloud without any."""
    return len(arrays) == 6 and all(array.dtype.kind == "f" and not array.any() for array in arrays[3:])


def _counts_rows(values: NDArray) -> bool:
    """Whether a column is 0, 1, 2, ... or 1, 2, 3, ..., as no coordinate of a surface's points is."""
    if len(values) < FEWEST_COUNTED or values.dtype.kind not in "iuf" or values[0] not in (0, 1):
        return False
    return np.array_equal(values, np.arange(len(values)) + int(values[0]))


def _start_of_normals(arrays: Sequence[NDArray]) -> int | None:
    """Index of the first of the three columns that are normals, None without."""
    starts = {start: _far_from_normals(arrays[start : start + 3]) for start in (3, len(arrays) - 3) if start >= 3}
    far = {start: distance for start, distance in starts.items() if distance is not None}
    return min(far, key=lambda start: far[start]) if far else None


def _far_from_normals(arrays: Sequence[NDArray]) -> float | None:
    """The mean difference from 1 of the lengths of rows that are of unit length; None if these are no normals."""
    if len(arrays) < 3 or any(array.ndim > 1 or array.dtype.kind not in "iuf" for array in arrays):
        return None
    values = np.stack(arrays, axis=1).astype(np.float64)
    with np.errstate(all="ignore"):
        lengths = np.linalg.norm(values, axis=1)
        far = np.abs(lengths - 1)
        unit, there = far < UNIT_LENGTH, np.isfinite(lengths) & (lengths > 0)
    are_normals = unit.sum() > 0.5 * there.sum() and (values[unit] < 0).any()
    return float(far[unit].mean()) if are_normals else None


def _needed(names: tuple[str, ...]) -> set[int]:
    """Indices of the columns that must be numeric: positions and, with names, normals."""
    if not names:
        return {0, 1, 2}
    empty = Columns(np.empty(0, dtype=[(name, "f8") for name in names]))
    return {names.index(name) for name in (*empty.position, *empty.normals)}


def _check_count(path: Path, lines: list[str], layout: Layout, found: int) -> None:
    """Raises an error if a file has fewer rows than its count: it is truncated."""
    if layout.count is None:
        return
    first = int(lines[layout.count])
    more = [int(line) for line in lines[layout.start :] if layout.width > 1 and line.strip().isdigit()]
    if found < first + sum(more):
        raise UserError(f"{path}: expected {first + sum(more)} rows, as line {layout.count + 1} says, got {found}")


def _changed_lines(origin: TextOrigin, columns: Columns, suffix: str, rows: list[tuple[int, str]]) -> list[str]:
    """All lines of the file with new and changed columns."""
    layout, dialect = origin.layout, origin.layout.dialect
    splice = _splice(origin, columns)
    lines = list(origin.text.lines)
    for number, (index, line) in enumerate(rows):
        lines[index] = splice_line(dialect, line, splice, number)
    new = [name for name in columns.names if name not in origin.names]
    if layout.header is not None:
        lines[layout.header] = _with_names(lines[layout.header], dialect, layout, new)
    if layout.count is not None and not any(line.strip().isdigit() for line in lines[layout.start :]):
        lines[layout.count] = lines[layout.count].replace(lines[layout.count].strip(), str(len(rows)))
    if layout.header is None and new and not identified_by_position(columns, suffix):
        mark = "" if suffix == ".csv" else "# "
        lines.insert(layout.start, mark + Dialect(dialect.separator).join(columns.names))
    return lines


def _splice(origin: TextOrigin, columns: Columns) -> Splice:
    written = origin.layout.dialect.written
    replaced = {
        origin.names.index(name): [written(text) for text in texts_of(_brief(columns, name))]
        for name in origin.names
        if name in columns.changed
    }
    new = [name for name in columns.names if name not in origin.names]
    texts = [text for name in new for text in _texts(columns.table[name]).values()]
    return Splice(replaced, [[written(text) for text in column] for column in texts])


def _brief(columns: Columns, name: str) -> NDArray:
    """The numbers of a column; new normals in single precision."""
    values = columns.table[name]
    return brief(values) if name in columns.normals else values


def _with_names(line: str, dialect: Dialect, layout: Layout, new: list[str]) -> str:
    """The line of names with further ones, in its own dialect."""
    if not new:
        return line
    line = line.rstrip(" \r\n").removesuffix(layout.note) if layout.note else line
    bare, named = line.rstrip().lstrip("#/% "), len(layout.names)
    signs = (sign for sign in (dialect.separator, ";", "\t", ",") if sign and sign in line)
    separator = next((sign for sign in signs if abs(len(Dialect(sign).split(bare)) - named) <= 1), " ")
    body = Dialect(separator).stripped(line)
    trailing = body.endswith(separator) and separator != " " and layout.names[-1:] != ("",)  # that of a column
    quoted = body.rstrip(separator).endswith('"')
    names = separator.join(f'"{name}"' if quoted else name for name in new)
    start, end = (body.removesuffix(separator), separator) if trailing else (body, "")
    return f"{start}{separator}{names}{end}{layout.note}"


def _new_lines(columns: Columns, suffix: str) -> list[str]:
    """Lines of columns of another format, or in another order."""
    dialect = Dialect("," if suffix == ".csv" else None)
    if suffix == COUNTED:
        columns = _position_first(columns)
    named = suffix != COUNTED and (suffix == ".csv" or _has_header(columns) or not _named_by_position(columns, suffix))
    arrays = _all_texts(columns)
    lines = [dialect.join(row) for row in zip(*arrays.values(), strict=True)]
    mark = "" if suffix == ".csv" else "# "
    head = [str(len(lines))] if suffix == COUNTED else [mark + dialect.join(list(arrays))] if named else []
    return [*head, *lines]


def _all_texts(columns: Columns) -> dict[str, list[str]]:
    """The text of each column, one for each number of a row; for a text file that of its fields."""
    original: dict[str, list[str]] = {}
    origin = columns.origin
    if isinstance(origin, TextOrigin):
        fields = split_rows(Path(), origin.text.lines, origin.layout)[1]
        point = origin.layout.dialect.decimal == ","
        for name, texts in zip(origin.names, fields, strict=True):
            same = name in columns.names and name not in columns.changed and len(texts) == len(columns.table)
            if same and columns.table.dtype[name].kind != "U":
                plain = [text.replace(",", ".") for text in texts] if point else texts
                texts = _plain_texts(plain, columns.table[name])
            if same:
                original[name] = texts
    return {
        key: texts
        for name in columns.names
        for key, texts in ({name: original[name]} if name in original else _texts(_brief(columns, name), name)).items()
    }


def _plain_texts(texts: Sequence[str], values: NDArray) -> list[str]:
    """The texts of numbers, but for grouped digits and marks of missing values, which other dialects misread."""
    return [text if PLAIN.fullmatch(text) else number for text, number in zip(texts, texts_of(values), strict=True)]


def _texts(values: NDArray, name: str = "") -> dict[str, list[str]]:
    if values.ndim == 1 or values.shape[1:] == (1,):
        return {name: texts_of(values.reshape(-1))}
    flat = values.reshape(len(values), -1)
    return {f"{name}_{index}": texts_of(flat[:, index]) for index in range(flat.shape[1])}


def _has_header(columns: Columns) -> bool:
    return isinstance(columns.origin, TextOrigin) and columns.origin.layout.header is not None


def identified_by_position(columns: Columns, suffix: str = "") -> bool:
    """Whether position identifies the positions and normals."""
    arrays = [columns.table[name] for name in columns.names]
    if any(array.ndim > 1 for array in arrays):
        return False
    names = positional_names(arrays, suffix)
    places = [columns.names.index(name) for name in (*columns.position, *columns.normals)]
    return [names.index(name) for name in (*POSITION, *NORMAL) if name in names] == places


def _named_by_position(columns: Columns, suffix: str) -> bool:
    """Whether all names are those given by position."""
    arrays = [columns.table[name] for name in columns.names]
    return all(array.ndim == 1 for array in arrays) and positional_names(arrays, suffix) == columns.names


def _position_first(columns: Columns) -> Columns:
    names = [*columns.position, *(name for name in columns.names if name not in columns.position)]
    return replace(columns, table=table_of({name: columns.table[name] for name in names}))
