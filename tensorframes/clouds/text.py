"""Columns of numbers in text files: the fast way in, the line number of what is wrong, and the way out."""

import codecs
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tensorframes.errors import UserError

COMMENTS = ("#", "//")


@dataclass(frozen=True, eq=False)
class TextTable:
    """What a text file of numbers holds.

    Args:
        values: (N, C) float64, C >= 1, one row a line.
        names: C lower-case names of the columns where the file has a header, else None.
        comma: fields are separated by commas, otherwise by white space.
        leading: the lines before the first row, as they are, without their ends.
    """

    values: np.ndarray
    names: tuple[str, ...] | None = None
    comma: bool = False
    leading: tuple[str, ...] = ()


def read_bytes(path: Path) -> bytes:
    """The file's content.

    Raises:
        UserError: it is missing, empty, a folder or unreadable.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: expected a readable file, got: {error.strerror}") from error
    if not content.strip():
        raise UserError(f"{path}: expected points, got an empty file")
    return content


def read_table(path: Path, columns: tuple[int, ...] = ()) -> TextTable:
    """Reads rows of numbers separated by white space or commas.

    Lines that start with # or // and one line of names may come before the rows; a first line that holds a single
    whole number above rows of more columns (their count, as in PTS files) is passed over. Line ends may be those of
    any system.

    Args:
        path: the file.
        columns: the numbers of columns allowed; empty allows any.

    Raises:
        UserError: what is wrong, with the file's name and the line's number.
    """
    lines = _decode(path, read_bytes(path)).splitlines()
    start, names = _find_start(path, lines)
    comma = "," in lines[start]
    try:
        values = np.loadtxt(lines[start:], delimiter="," if comma else None, ndmin=2, dtype=np.float64)
    except ValueError:
        raise UserError(_first_fault(path, lines, start, comma)) from None
    count = values.shape[1]
    if columns and count not in columns:
        allowed = " or ".join(str(column) for column in columns)
        raise UserError(f"{path}, line {start + 1}: expected {allowed} columns, got {count}")
    return TextTable(values, names if names and len(names) == count else None, comma, tuple(lines[:start]))


def read_values(path: Path, columns: int) -> np.ndarray:
    """The (N, columns) float64 numbers of a text file; see read_table for the errors."""
    return read_table(path, (columns,)).values


def read_rows(path: Path) -> np.ndarray:
    """The (N,) int64 row numbers of a text file of one whole number a line.

    Raises:
        UserError: as read_table, or a number is not whole.
    """
    values = read_values(path, 1)[:, 0]
    rows = values.astype(np.int64) if np.isfinite(values).all() else None
    if rows is None or not np.array_equal(rows, values):
        raise UserError(f"{path}: expected whole row numbers, got {values[values % 1 != 0][0]:g}")
    return rows


def read_names(path: Path) -> list[str]:
    """The names in a list of one a line, blank lines and repetitions passed over.

    Raises:
        UserError: there is no such file, or no name in it.
    """
    names = [line.strip() for line in _decode(path, read_bytes(path)).splitlines()]
    return list(dict.fromkeys(name for name in names if name))


def write_table(path: Path, table: TextTable) -> None:
    """Writes the rows so that reading them gives the same float64 values, each with its fewest digits."""
    separator = "," if table.comma else " "
    rows = (separator.join(repr(value).removesuffix(".0") for value in row) for row in table.values.tolist())
    path.write_text("\n".join([*table.leading, *rows]) + "\n", encoding="utf-8")


def _decode(path: Path, content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content:
        raise UserError(f"{path}: expected text, got a binary file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _find_start(path: Path, lines: list[str]) -> tuple[int, tuple[str, ...] | None]:
    """The index of the first row, and the names that the line above it gives, if any."""
    names: tuple[str, ...] | None = None
    headers = 0
    for index, line in enumerate(lines):
        bare = line.strip()
        if not bare:
            continue
        if bare.startswith(COMMENTS):
            names = tuple(_fields(bare.lstrip("#/").lower()))
        elif all(_is_number(field) for field in _fields(bare)):
            if not _is_count(bare, lines[index + 1 : index + 2]):
                return index, names
        elif headers == 0 and "x" in _fields(bare.lower()):
            names, headers = tuple(_fields(bare.lower())), 1
        else:
            raise UserError(f"{path}, line {index + 1}: expected numbers, got {_shorten(bare)}")
    raise UserError(f"{path}: expected rows of numbers, got none")


def _is_count(line: str, following: list[str]) -> bool:
    return line.isdigit() and len(following) == 1 and len(_fields(following[0])) > 1


def _first_fault(path: Path, lines: list[str], start: int, comma: bool) -> str:
    """One line on the first row that is not like the first: loadtxt counts rows, people count lines."""
    width = None
    for number, line in enumerate(lines[start:], start + 1):
        bare = line.split("#", 1)[0].strip()
        fields = [field.strip() for field in bare.split(",")] if comma else bare.split()
        if not bare:
            continue
        for field in fields:
            if not _is_number(field):
                return f"{path}, line {number}: expected numbers, got {_shorten(field)}"
        if width is not None and len(fields) != width:
            return f"{path}, line {number}: expected {width} columns as above, got {len(fields)}"
        width = len(fields)
    return f"{path}: expected rows of numbers"


def _fields(line: str) -> list[str]:
    return line.replace(",", " ").split()


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
