"""Named arrays of one length, as NPZ and HDF5 files have them, as columns, and back."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.axes import (
    NORMAL_VECTORS,
    NORMALS,
    POSITION_VECTORS,
    POSITIONS,
    Triples,
    find_triple,
    fresh,
    key_of,
)
from tensorframes.data.io.columns import Columns, free_normals, plain, table_of
from tensorframes.data.io.files import one_line
from tensorframes.data.io.npy import PICKLED, expect_one_cloud, rows_of
from tensorframes.data.io.shape import Shape
from tensorframes.errors import UserError

Arrays = Mapping[str, NDArray]
Places = dict[str, tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class Found:
    """The points among named arrays.

    Args:
        table: (N,) structured array of all arrays with one number or row per point.
        places: of each array that was read, the columns that it became.
        records: names of the arrays that are themselves rows of named fields.
        single: the positions are one array (N, C), not three (N,) or (rows, columns).
        others: names of the other arrays.
        shape: of the points in the arrays of positions, (N,) or (rows, columns).
        in_line: names of the arrays that have the points of an organised cloud in a line, (N,).
    """

    table: NDArray
    places: Places
    records: frozenset[str]
    single: bool
    others: tuple[str, ...]
    shape: Shape
    in_line: frozenset[str]


def find_points(path: Path, arrays: Arrays, position: tuple[str, ...], group: str = "") -> Found:
    """The positions in these arrays of a group, the normals, and all others of one number or row per point.

    Raises:
        UserError: their shapes disagree, or they can't be read.
    """
    others = [name for name in arrays if name not in position]
    normals = find_arrays(others, NORMALS, NORMAL_VECTORS)
    values = {name: _array(path, arrays, name) for name in position}
    records = frozenset(name for name in position if values[name].dtype.names)
    parts = _position_parts(path, values, group)
    shape = values[position[0]].shape
    shape = shape[:-1] if len(position) == 1 and not records else shape
    parts |= _normal_parts(path, arrays, normals, shape)
    taken = {name for columns in parts.values() for name in columns}
    for name in others:
        if name not in (*normals, *taken) and (array := _column(arrays, name, shape)) is not None:
            parts[name] = {name: array}
    places = {array: tuple(columns) for array, columns in parts.items()}
    table = table_of({name: values for columns in parts.values() for name, values in columns.items()})
    rest = tuple(name for name in others if name not in parts)
    in_line = frozenset(name for name in parts if len(shape) > 1 and arrays[name].shape[: len(shape)] != shape)
    return Found(table, places, records, len(position) == 1, rest, shape, in_line)


def find_position(names: Collection[str]) -> tuple[str, ...]:
    """Names of the arrays of positions: one (N, C), or three with a number per point; none if no name says so."""
    return find_arrays(list(names), POSITIONS, POSITION_VECTORS)


def find_arrays(names: list[str], triples: Triples, vectors: tuple[str, ...]) -> tuple[str, ...]:
    """The array that has one of the keys, or three that make up one of the triples."""
    one = next((name for key in vectors for name in names if key_of(name) == key), None)
    return (one,) if one is not None else find_triple(names, triples) or ()


def new_arrays(columns: Columns, found: Found) -> dict[str, NDArray] | None:
    """The arrays that are new or changed; None if columns of the original are missing."""
    known = {name for names in found.places.values() for name in names}
    if not known <= {*columns.names}:
        return None
    new = tuple(name for name in columns.names if name not in known)
    places = {array: names for array, names in found.places.items() if columns.changed & {*names}}
    places |= _new_places(columns, new, found.single, {*found.places})
    return {
        array: columns.table[list(names)].reshape(found.shape)
        if array in found.records
        else _joined(columns, names, (-1,) if array in found.in_line else found.shape)
        for array, names in places.items()
    }


def all_arrays(columns: Columns) -> dict[str, NDArray]:
    """Points of another format: pos (N, 3), normal (N, 3), and the other columns; those of an organised cloud (rows,
    columns, 3)."""
    places = {"pos": columns.position, **_new_places(columns, columns.names, True, {"pos"})}
    return {array: _joined(columns, names, columns.grid or (-1,)) for array, names in places.items()}


def _position_parts(path: Path, values: dict[str, NDArray], group: str) -> dict[str, dict[str, NDArray]]:
    """The columns of each array, by its name."""
    if len(values) == 1:
        ((whole, array),) = values.items()
        table = rows_of(path, array, f"{group}{whole}")
        return {whole: {name: table[name] for name in table.dtype.names or ()}}
    shapes, joined = {array.shape for array in values.values()}, ", ".join(values)
    if len(shapes) != 1 or len(next(iter(shapes))) not in (1, 2):
        got = ", ".join(f"{name} {array.shape}" for name, array in values.items())
        raise UserError(f"{path}: expected {joined} of one shape (N,) or (rows, columns), got {got}")
    if len(next(iter(shapes))) == 2:
        expect_one_cloud(path, np.stack([*values.values()], axis=-1), f" in {joined}")
    return {name: {name: array.reshape(-1)} for name, array in values.items()}


def _normal_parts(path: Path, arrays: Arrays, names: tuple[str, ...], shape: Shape) -> dict[str, dict[str, NDArray]]:
    parts, columns = {}, free_normals([name for name in arrays if name not in names])
    for index, name in enumerate(names):
        array, last = _array(path, arrays, name), (3,) if len(names) == 1 else ()
        rows = _rows(array, shape)
        if rows is None or rows.shape[1:] != last or array.dtype.kind not in "biuf":
            raise UserError(f"{path}: expected {name} of shape {(*shape, *last)}, got {array.dtype} {array.shape}")
        parts[name] = dict(zip(columns, rows.T, strict=True)) if len(names) == 1 else {columns[index]: rows}
    return parts


def _rows(array: NDArray, shape: Shape) -> NDArray | None:
    """(N,) numbers or (N, C) rows of points of this shape, or of N points in a line; None if there are others."""
    for own in (shape, (prod(shape),)):
        if array.shape[: len(own)] == own and array.ndim <= len(own) + 1:
            return array.reshape(-1, *array.shape[len(own) :])
    return None


def _column(arrays: Arrays, name: str, shape: Shape) -> NDArray | None:
    """An array of one number or row per point; None if it is another one, or corrupt."""
    try:
        array = np.asarray(arrays[name])  # members of archives that are no arrays are bytes
    except Exception:  # a pickle, or damaged: it is copied as it is
        return None
    return _rows(array, shape) if array.size and array.dtype.kind in "biufU" else None


def _array(path: Path, arrays: Arrays, name: str) -> NDArray:
    try:
        return np.asarray(arrays[name])
    except Exception as error:  # zipfile, zlib, NumPy and HDF5 have each their own
        if "allow_pickle" in str(error):
            raise UserError(f"{path}: expected an array of numbers {name}, got {PICKLED}") from error
        raise UserError(f"{path}: expected an array of numbers {name}, got: {one_line(error)}") from error


def _new_places(columns: Columns, names: tuple[str, ...], single: bool, taken: Collection[str]) -> Places:
    """The array of each column, by names that are not taken; normals are one array if positions are."""
    normal = columns.normals if single and columns.normals and set(columns.normals) <= set(names) else ()
    others = [name for name in names if name not in (*columns.position, *normal)]
    arrays = fresh(others, {*taken, *(["normal"] if normal else [])})
    return {
        **{array: (name,) for array, name in zip(arrays, others, strict=True)},
        **({"normal": normal} if normal else {}),
    }


def _joined(columns: Columns, names: tuple[str, ...], shape: Shape) -> NDArray:
    """The columns as one array of points of this shape."""
    values = columns.table[names[0]] if len(names) == 1 else plain(columns.table[list(names)])
    return np.ascontiguousarray(values).reshape(*shape, *values.shape[1:])
