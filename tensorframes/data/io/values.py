"""Columns of rows of text, vectorised if all are numbers, else field by field; and numbers as text."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.dialect import number, numbers, usual
from tensorframes.data.io.layout import Layout, rows_of, shorten
from tensorframes.errors import UserError

LARGEST = 2.0**53
"""Float64 does not represent all integers from here on."""

INTEGER = re.compile(r"[+-]?\d+")


def read_numbers(path: Path, lines: list[str], layout: Layout) -> NDArray[np.float64]:
    """(N, C) numbers of the rows.

    Raises:
        UserError: a field is not a number, or a row has another length; the message names the line.
    """
    fast = _read_fast(lines, layout)
    if fast is not None:
        return fast
    places, columns = split_rows(path, lines, layout)
    return np.stack([_as_numbers(path, places, texts, layout.dialect.decimal) for texts in columns], axis=1)


def read_columns(path: Path, lines: list[str], layout: Layout, needed: Collection[int]) -> list[NDArray]:
    """The columns of the rows, each (N,): numbers if all fields are, else text.

    Columns of whole numbers without a point in the first row have the smallest sufficient integer type (uint8, int32 or
    larger); others are float64.

    Args:
        path: for the errors.
        lines: of the file.
        layout: of the lines.
        needed: indices of columns that must be numbers; without names those that begin with one must, too.

    Raises:
        UserError: as read_numbers, of the needed columns; a row has another length.
    """
    first = layout.dialect.fields(lines[layout.start])
    whole = [INTEGER.fullmatch(text) is not None and index not in needed for index, text in enumerate(first)]
    fast = _read_fast(lines, layout)
    if fast is not None and not (np.abs(fast[:, whole]) >= LARGEST).any():
        return [_narrowed(values) if whole[index] else values for index, values in enumerate(fast.T)]
    places, columns = split_rows(path, lines, layout)
    found: list[NDArray] = []
    for index, texts in enumerate(columns):
        values = numbers(texts, layout.dialect.decimal)
        begins = not layout.names and number(first[index], layout.dialect.decimal) is not None
        if values is None and (index in needed or begins):
            values = _as_numbers(path, places, texts, layout.dialect.decimal)
        if values is None:
            found.append(np.array(texts, dtype=str))
        else:
            found.append(_whole(values, texts) if whole[index] else values)
    return found


def split_rows(path: Path, lines: list[str], layout: Layout) -> tuple[list[int], list[list[str]]]:
    """Indices of the rows' lines, and the text of each column.

    Raises:
        UserError: a row has another length than the first.
    """
    places, rows = [], []
    for index, line in rows_of(lines, layout):
        fields = layout.dialect.fields(line)
        if len(fields) != layout.width:
            raise UserError(f"{path}, line {index + 1}: expected {layout.width} columns as above, got {len(fields)}")
        places.append(index)
        rows.append(fields)
    return places, [list(column) for column in zip(*rows, strict=True)]


def read_table(lines: Sequence[str], width: int) -> NDArray[np.float64]:
    """(N, C) numbers of lines with white space between them, as a rule C = ``width``.

    Raises:
        ValueError: lines differ in the number of their fields, or a field is not a number.
    """
    lines = [" ".join(map(usual, line.split())) if "(" in line or "#" in line else line for line in lines]
    try:
        return np.loadtxt(lines, ndmin=2, comments=None)
    except ValueError as error:
        rows = enumerate(line.split() for line in lines)
        wrong = next((row for row, texts in rows if len(texts) != width or not all(map(is_float, texts))), None)
        if wrong is None:
            raise
        raise ValueError(f"row {wrong + 1}: expected {width} numbers, got {shorten(lines[wrong].strip())}") from error


def as_floats(rows: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """(N, C) numbers of rows of texts of one length.

    Raises:
        ValueError: a text is not a number.
    """
    try:
        return np.array(rows, dtype=np.float64)
    except ValueError:
        return np.array([list(map(usual, row)) for row in rows], dtype=np.float64)


def texts_of(values: NDArray) -> list[str]:
    """Numbers (N,) as text with the fewest digits that determine them in their type; half precision as single."""
    if values.dtype.kind == "f" and values.dtype.itemsize < 8:
        return [text.removesuffix(".0") for text in values.astype(np.float32).astype("U32").tolist()]
    if values.dtype.kind == "f":
        return [repr(value).removesuffix(".0") for value in values.astype(np.float64).tolist()]
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
    return [str(value) for value in values.tolist()]


def brief(values: NDArray) -> NDArray:
    """Floating-point numbers in single precision, the accuracy of new normals, if it holds them exactly."""
    if values.dtype.kind != "f":
        return values
    single = values.astype(np.float32)
    return single if np.array_equal(single, values, equal_nan=True) else values


def _read_fast(lines: list[str], layout: Layout) -> NDArray[np.float64] | None:
    """(N, C) numbers, or None if the rows have more than plain numbers."""
    rows, dialect = lines[layout.start :], layout.dialect
    if any("#" in row for row in rows):
        rows = [dialect.split_comment(line)[0] for _, line in rows_of(lines, layout)]
    if dialect.trailing:
        rows = [row.rstrip().removesuffix(dialect.separator or "") for row in rows]
    if dialect.decimal == ",":
        rows = [row.replace(",", ".") for row in rows]
    try:
        values = np.loadtxt(
            rows,
            delimiter=dialect.separator,
            comments=None,
            quotechar='"' if '"' in rows[0] else None,
            ndmin=2,
        )
    except ValueError:
        return None
    return values if values.shape[1] == layout.width else None


def is_float(text: str) -> bool:
    """Whether a text is a number; marks of missing values are none."""
    try:
        float(usual(text))
    except ValueError:
        return False
    return True


def _as_numbers(path: Path, places: list[int], texts: list[str], decimal: str) -> NDArray[np.float64]:
    values = numbers(texts, decimal)
    if values is None:
        wrong = next(row for row, text in enumerate(texts) if number(text, decimal) is None)
        raise UserError(f"{path}, line {places[wrong] + 1}: expected numbers, got {shorten(texts[wrong])}")
    return values


def _narrowed(values: NDArray[np.float64]) -> NDArray:
    """Integers below LARGEST as integers; other values unchanged."""
    if not np.isfinite(values).all() or (values != np.floor(values)).any() or len(values) == 0:
        return values
    low, high = values.min(), values.max()
    kind = "u1" if low >= 0 and high <= 255 else "i4" if max(-low, high) < 2**31 else "i8"
    return values.astype(kind)


def _whole(values: NDArray[np.float64], texts: list[str]) -> NDArray:
    """As _narrowed, but from the text if float64 would round."""
    if not (np.abs(values) >= LARGEST).any():
        return _narrowed(values)
    if not all(INTEGER.fullmatch(text) for text in texts):
        return values
    exact = [int(text) for text in texts]
    low, high = min(exact), max(exact)
    if low >= -(2**63) and high < 2**63:
        return np.array(exact, dtype=np.int64)
    return np.array(exact, dtype=np.uint64) if low >= 0 and high < 2**64 else values
