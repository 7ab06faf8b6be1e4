"""NumPy archives of named arrays: positions, optional normals, and others, which are preserved."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_STORED, ZipFile

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from tensorframes.data.io.axes import (
    NORMAL_VECTORS,
    NORMALS,
    POSITION_VECTORS,
    POSITIONS,
    Triples,
    find_triple,
    key_of,
)
from tensorframes.data.io.columns import NORMAL, Columns, plain, table_of
from tensorframes.data.io.files import one_line
from tensorframes.data.io.npy import load, rows_of, save
from tensorframes.errors import UserError


@dataclass(frozen=True, eq=False)
class NpzOrigin:
    """An archive.

    Args:
        content: its bytes.
        places: of each array that was read, the columns that it became.
        single: the positions are one array (N, C), not three (N,).
    """

    content: bytes
    places: Mapping[str, tuple[str, ...]]
    single: bool


class NpzFormat:
    """pos, points, xyz or the like (N, C) with normal or normals (N, 3); or x, y, z with nx, ny, nz (N,)."""

    name = "NPZ"
    suffixes = (".npz",)

    def read(self, path: Path, content: bytes) -> Columns:
        """The points, with all other arrays of one row or number per point; pickled ones are not loaded."""
        archive = load(content)
        if isinstance(archive, np.ndarray):
            raise UserError(f"{path}: expected an archive of arrays, got one array: it should be called .npy")
        position = _position(path, archive)
        others = [name for name in archive.files if name not in position]
        normals = _find(others, NORMALS, NORMAL_VECTORS)
        parts = _position_parts(path, archive, position)
        count = len(next(iter(parts[position[0]].values())))
        parts |= _normal_parts(path, archive, normals, count)
        taken = {name for columns in parts.values() for name in columns}
        for name in others:
            if name not in (*normals, *taken) and (array := _column(archive, name, count)) is not None:
                parts[name] = {name: array}
        places = {array: tuple(columns) for array, columns in parts.items()}
        table = table_of({name: values for columns in parts.values() for name, values in columns.items()})
        beside = tuple(f"array {name}" for name in others if name not in parts)
        return Columns(table, NpzOrigin(content, places, len(position) == 1), ".npz", beside=beside)

    def unkept(self, columns: Columns) -> tuple[str, ...]:
        """Lists of variable length, which NumPy can only pickle."""
        return tuple(name for name in columns.names if columns.table.dtype[name].hasobject)

    def write(self, file: BinaryIO, columns: Columns, suffix: str) -> None:
        """The original archive with new and changed arrays; other points as pos, normal, and the other columns."""
        origin = columns.origin if isinstance(columns.origin, NpzOrigin) else None
        known = {name for names in origin.places.values() for name in names} if origin else set()
        if origin and known <= {*columns.names}:
            new = tuple(name for name in columns.names if name not in known)
            places = {array: names for array, names in origin.places.items() if columns.changed & {*names}}
            places |= _new_places(columns, new, origin.single)
        else:
            origin, places = None, {"pos": columns.position, **_new_places(columns, columns.names)}
        _write_archive(file, _arrays(columns, places), origin)


def _position(path: Path, archive: NpzFile) -> tuple[str, ...]:
    """Names of the arrays of positions."""
    if found := _find(archive.files, POSITIONS, POSITION_VECTORS):
        return found
    unknown = tuple(name for name in archive.files if key_of(name) not in NORMAL_VECTORS)
    if len(unknown) != 1:  # np.savez(file, points) calls the one array arr_0
        raise UserError(f"{path}: expected an array pos, points or xyz, got {', '.join(archive.files) or 'none'}")
    return unknown


def _find(names: list[str], triples: Triples, vectors: tuple[str, ...]) -> tuple[str, ...]:
    one = next((name for key in vectors for name in names if key_of(name) == key), None)
    return (one,) if one is not None else find_triple(names, triples) or ()


def _position_parts(path: Path, archive: NpzFile, names: tuple[str, ...]) -> dict[str, dict[str, NDArray]]:
    """The columns of each array, by its name."""
    arrays = {name: _array(path, archive, name) for name in names}
    if len(names) == 1:
        table = rows_of(path, arrays[names[0]])
        return {names[0]: {name: table[name] for name in table.dtype.names or ()}}
    if len({array.shape for array in arrays.values()}) != 1 or any(array.ndim != 1 for array in arrays.values()):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise UserError(f"{path}: expected {', '.join(names)} of one shape (N,), got {shapes}")
    return {name: {name: array} for name, array in arrays.items()}


def _normal_parts(path: Path, archive: NpzFile, names: tuple[str, ...], count: int) -> dict[str, dict[str, NDArray]]:
    parts = {}
    for index, name in enumerate(names):
        array, expected = _array(path, archive, name), (count, 3) if len(names) == 1 else (count,)
        if array.shape != expected or array.dtype.kind not in "biuf":
            raise UserError(f"{path}: expected {name} of shape {expected}, got {array.dtype} {array.shape}")
        parts[name] = dict(zip(NORMAL, array.T, strict=True)) if len(names) == 1 else {NORMAL[index]: array}
    return parts


def _column(archive: NpzFile, name: str, count: int) -> NDArray | None:
    """An array of one number or row per point; None if it is another one, or corrupt."""
    try:
        array = archive[name]
    except Exception:  # a pickle, or damaged: it is copied as it is
        return None
    fits = array.ndim in (1, 2) and len(array) == count and array.size and array.dtype.kind in "biufU"
    return array if fits else None


def _array(path: Path, archive: NpzFile, name: str) -> NDArray:
    try:
        return archive[name]
    except Exception as error:  # zipfile, zlib and NumPy have each their own
        raise UserError(f"{path}: expected an array of numbers {name}, got: {one_line(error)}") from error


def _new_places(columns: Columns, names: tuple[str, ...], single: bool = True) -> dict[str, tuple[str, ...]]:
    """The array of each column; normals are one array if positions are."""
    normal = columns.normals if single and columns.normals and set(columns.normals) <= set(names) else ()
    others = {name: (name,) for name in names if name not in (*columns.position, *normal)}
    return {**others, **({"normal": normal} if normal else {})}


def _arrays(columns: Columns, places: Mapping[str, tuple[str, ...]]) -> dict[str, NDArray]:
    return {
        array: columns.table[names[0]] if len(names) == 1 else plain(columns.table[list(names)])
        for array, names in places.items()
    }


def _write_archive(file: BinaryIO, arrays: Mapping[str, NDArray], origin: NpzOrigin | None) -> None:
    """The members of an archive, unchanged, without these arrays."""
    with ZipFile(file, "w", ZIP_STORED) as archive:
        packing = ZIP_STORED
        if origin is not None:
            with ZipFile(io.BytesIO(origin.content)) as before:
                for member in before.infolist():
                    packing = member.compress_type
                    if member.filename.removesuffix(".npy") not in arrays:
                        archive.writestr(member, before.read(member))
        for name, array in arrays.items():
            content = io.BytesIO()
            save(content, np.ascontiguousarray(array))
            archive.writestr(f"{name}.npy", content.getbuffer(), packing)
