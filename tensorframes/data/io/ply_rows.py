"""The rows of a PLY file's elements: vectorised if all have the same length, else one by one."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.ply_header import Element, Property
from tensorframes.data.io.types import in_range
from tensorframes.data.io.values import as_floats, read_table
from tensorframes.words import counted

ROWS = 1 << 18
"""Rows that are converted and written at once."""


class CutOff(ValueError):
    """The file ends before its rows."""

    def __init__(self, element: Element) -> None:
        super().__init__(f"{counted(element.count, 'row')} of {element.name}, the file ends before")


def row_type(properties: Sequence[Property], names: Sequence[str], order: str = "<") -> np.dtype:
    """The type of rows of numbers in a binary file."""
    return np.dtype([(name, order + each.kind) for name, each in zip(names, properties, strict=True)])


def read_binary(element: Element, names: Sequence[str], content: bytes, start: int, order: str) -> tuple[NDArray, int]:
    """(N,) structured array of an element's rows (lists as objects), and the offset of the next element."""
    if not element.has_lists:
        kind = row_type(element.properties, names, order)
        end = start + element.count * kind.itemsize
        if end > len(content):
            raise CutOff(element)
        return np.frombuffer(content, kind, element.count, start), end
    least = sum(np.dtype(each.length or each.kind).itemsize for each in element.properties)
    if start + element.count * least > len(content):  # before memory is allocated
        raise CutOff(element)
    if (alike := _read_alike(element, names, content, start, order)) is not None:
        return alike
    table = np.empty(element.count, dtype=_with_objects(element, names))
    for row in range(element.count):
        for each, name in zip(element.properties, names, strict=True):
            values, start = _read_one(element, each, content, start, order)
            table[name][row] = values if each.length else values[0]
    return table, start


def skip_binary(element: Element, content: bytes, start: int, order: str) -> int:
    """The offset of the next element."""
    if not element.has_lists:
        end = start + element.count * sum(np.dtype(each.kind).itemsize for each in element.properties)
        if end > len(content):
            raise CutOff(element)
        return end
    if (layout := _alike_layout(element, content, start, order)) is not None:
        return start + element.count * layout.itemsize
    for _ in range(element.count):
        for each in element.properties:
            start = _read_one(element, each, content, start, order)[1]
    return start


def write_binary(table: NDArray, properties: Sequence[Property], order: str) -> Iterator[bytes]:
    """The rows as bytes of a binary file; columns of the table in the order of the properties."""
    names = table.dtype.names or ()
    if not any(each.length for each in properties):
        for start in range(0, len(table), ROWS):
            yield table[start : start + ROWS].astype(row_type(properties, names, order)).tobytes()
        return
    columns = [
        _list_bytes(table[name], each, order) if each.length else _number_bytes(table[name], each, order)
        for name, each in zip(names, properties, strict=True)
    ]
    yield from (b"".join(row) for row in zip(*columns, strict=True))


def read_text(element: Element, names: Sequence[str], lines: list[str]) -> NDArray:
    """(N,) structured array of an element's rows, one per line (lists as objects).

    Raises:
        ValueError: a line has other fields than the properties, or a number that its type can't hold.
    """
    if len(lines) < element.count:
        raise CutOff(element)
    if not element.has_lists:
        return _read_plain_text(element, names, lines)
    table = np.empty(element.count, dtype=_with_objects(element, names))
    for row, line in enumerate(lines):
        fields = iter(line.split())
        for each, name in zip(element.properties, names, strict=True):
            count = int(next(fields, -1)) if each.length else 1
            values = [text for _, text in zip(range(count), fields, strict=False)]
            if count < 0 or len(values) != count:
                raise ValueError(f"row {row + 1} of {element.name} without {each.name}")
            numbers = as_floats([values])[0].astype(each.kind)
            table[name][row] = numbers if each.length else numbers[0]
    return table


def row_texts(values: NDArray) -> list[str]:
    """The text of each list of a column: its length and its numbers."""
    return [" ".join((str(len(each)), *(str(number) for number in np.asarray(each).tolist()))) for each in values]


def _read_plain_text(element: Element, names: Sequence[str], lines: list[str]) -> NDArray:
    if element.count == 0:
        return np.empty(0, dtype=row_type(element.properties, names))
    long = [index for index, each in enumerate(element.properties) if each.kind in ("i8", "u8")]
    values = read_table(lines, len(names))
    if values.shape != (element.count, len(names)):
        raise ValueError(f"rows of {values.shape[1]} numbers for the {len(names)} properties of {element.name}")
    table = np.empty(element.count, dtype=row_type(element.properties, names, "="))
    for index, (name, each) in enumerate(zip(names, element.properties, strict=True)):
        column = values[:, index]
        if index in long:
            column = np.loadtxt(lines, ndmin=1, comments=None, usecols=index, dtype=each.kind)
        elif each.kind[0] in "iu" and not in_range(each.kind, column):
            raise ValueError(f"numbers in {each.name} that its type can't hold")
        with np.errstate(over="ignore"):
            table[name] = column
    return table


def _with_objects(element: Element, names: Sequence[str]) -> np.dtype:
    return np.dtype(
        [(name, object if each.length else each.kind) for name, each in zip(names, element.properties, strict=True)]
    )


def _read_one(element: Element, each: Property, content: bytes, start: int, order: str) -> tuple[NDArray, int]:
    """The numbers of one property in one row, and the offset of the next property."""
    count = 1
    try:
        if each.length:
            count = int(np.frombuffer(content, order + each.length, 1, start)[0])
            start += np.dtype(each.length).itemsize
        values = np.frombuffer(content, order + each.kind, count, start) if count else np.empty(0, each.kind)
    except ValueError as error:
        raise CutOff(element) from error
    if count < 0:
        raise ValueError(f"a list {each.name} of {count} numbers")
    return values.astype(each.kind), start + values.nbytes


def _alike_layout(element: Element, content: bytes, start: int, order: str) -> np.dtype | None:
    """The type of a row if the lists of all rows are as long as those of the first, else None."""
    if element.count == 0:
        return np.dtype([])
    fields: list[tuple[str, str, tuple[int, ...]]] = []
    place = start
    for index, each in enumerate(element.properties):
        values, place = _read_one(element, each, content, place, order)
        if each.length:
            fields.append((f"{index} length", order + each.length, ()))
        fields.append((f"{index}", order + each.kind, (len(values),) if each.length else ()))
    kind = np.dtype(fields)
    if start + element.count * kind.itemsize > len(content):
        return None
    rows = np.frombuffer(content, kind, element.count, start)
    lengths = [name for name in kind.names or () if name.endswith("length")]
    return kind if all((rows[name] == rows[name][0]).all() for name in lengths) else None


def _read_alike(
    element: Element, names: Sequence[str], content: bytes, start: int, order: str
) -> tuple[NDArray, int] | None:
    layout = _alike_layout(element, content, start, order)
    if layout is None:
        return None
    table = np.empty(element.count, dtype=_with_objects(element, names))
    if element.count:
        rows = np.frombuffer(content, layout, element.count, start)
        for index, (name, each) in enumerate(zip(names, element.properties, strict=True)):
            values = rows[f"{index}"].astype(each.kind)
            if each.length:
                for row in range(element.count):  # an object each: assigned at once, they would be broadcast
                    table[name][row] = values[row]
            else:
                table[name] = values
    return table, start + element.count * layout.itemsize


def _number_bytes(values: NDArray, each: Property, order: str) -> Iterator[bytes]:
    data, size = values.astype(order + each.kind).tobytes(), np.dtype(each.kind).itemsize
    return (data[place : place + size] for place in range(0, len(data), size))


def _list_bytes(values: NDArray, each: Property, order: str) -> Iterator[bytes]:
    for one in values:
        numbers = np.asarray(one).astype(order + each.kind)
        yield np.array(len(numbers), dtype=order + each.length).tobytes() + numbers.tobytes()
