"""NumPy's archive of arrays by name: positions, perhaps normals, and others, which are copied as they are."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_STORED, ZipFile

import numpy as np
from numpy.typing import NDArray

from tensorframes.clouds.io.axes import NORMAL_VECTORS, NORMALS, POSITION_VECTORS, POSITIONS, find_triple, key_of
from tensorframes.clouds.io.columns import Columns, plain, table_of
from tensorframes.clouds.io.files import one_line
from tensorframes.clouds.io.npy import load, rows_of
from tensorframes.errors import UserError


@dataclass(frozen=True, eq=False)
class NpzOrigin:
    """An archive.

    Args:
        content: its bytes.
        position: names of the arrays with the positions: one (N, C), or three (N,).
        normals: likewise of the normals; empty where there are none.
        columns: names of the columns that the array of positions holds.
    """

    content: bytes
    position: tuple[str, ...]
    normals: tuple[str, ...]
    columns: tuple[str, ...]


class NpzFormat:
    """pos, points, xyz or the like (N, C) with normal or normals (N, 3); or x, y, z with nx, ny, nz (N,)."""

    name = "NPZ"
    suffixes = (".npz",)

    def read(self, path: Path, content: bytes) -> Columns:
        """The points; no other array is loaded, so that pickled ones do no harm."""
        archive = load(content)
        if isinstance(archive, np.ndarray):
            raise UserError(f"{path}: expected an archive of arrays, got one array: it should be called .npy")
        position = _find(archive.files, POSITIONS, POSITION_VECTORS)
        if not position:  # np.savez(file, points) calls the array arr_0
            unknown = tuple(name for name in archive.files if key_of(name) not in NORMAL_VECTORS)
            position = unknown if len(unknown) == 1 else ()
        if not position:
            raise UserError(f"{path}: expected an array pos, points or xyz, got {', '.join(archive.files) or 'none'}")
        normals = _find([name for name in archive.files if name not in position], NORMALS, NORMAL_VECTORS)
        table = _table(path, archive, position)
        names = table.dtype.names or ()
        if normals:
            table = _with_normals(path, table, archive, normals)
        others = tuple(f"array {name}" for name in archive.files if name not in (*position, *normals))
        return Columns(table, NpzOrigin(content, position, normals, names), ".npz", beside=others)

    def unkept(self, columns: Columns) -> tuple[str, ...]:
        """Lists of any length, which NumPy could only pickle."""
        return tuple(name for name in columns.names if columns.table.dtype[name].hasobject)

    def write(self, file: BinaryIO, columns: Columns, suffix: str) -> None:
        """The archive that was read with what is new or changed; of other points pos, normal, and the other columns."""
        origin = columns.origin
        if isinstance(origin, NpzOrigin) and set(origin.columns) <= set(columns.names):
            _write_archive(file, _own_arrays(columns, origin), origin.content)
        else:
            _write_archive(file, _new_arrays(columns), None)


def _find(names: list[str], triples: tuple, vectors: tuple[str, ...]) -> tuple[str, ...]:
    one = next((name for key in vectors for name in names if key_of(name) == key), None)
    return (one,) if one is not None else find_triple(names, triples) or ()


def _table(path: Path, archive: np.lib.npyio.NpzFile, position: tuple[str, ...]) -> NDArray:
    if len(position) == 1:
        return rows_of(path, _array(path, archive, position[0]))
    arrays = {name: _array(path, archive, name) for name in position}
    if len({array.shape for array in arrays.values()}) != 1 or any(array.ndim != 1 for array in arrays.values()):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise UserError(f"{path}: expected {', '.join(position)} of one shape (N,), got {shapes}")
    return table_of(arrays)


def _with_normals(path: Path, table: NDArray, archive: np.lib.npyio.NpzFile, names: tuple[str, ...]) -> NDArray:
    arrays = [_array(path, archive, name) for name in names]
    expected = (len(table), 3) if len(names) == 1 else (len(table),)
    for name, array in zip(names, arrays, strict=True):
        if array.shape != expected or array.dtype.kind not in "biuf":
            raise UserError(f"{path}: expected {name} of shape {expected}, got {array.dtype} {array.shape}")
    parts = list(arrays[0].T) if len(names) == 1 else arrays
    kept = {name: table[name] for name in table.dtype.names or () if name not in ("nx", "ny", "nz")}
    return table_of({**kept, **dict(zip(("nx", "ny", "nz"), parts, strict=True))})


def _array(path: Path, archive: np.lib.npyio.NpzFile, name: str) -> NDArray:
    try:
        return archive[name]
    except Exception as error:  # zipfile, zlib and NumPy have each their own
        raise UserError(f"{path}: expected an array of numbers {name}, got: {one_line(error)}") from error


def _own_arrays(columns: Columns, origin: NpzOrigin) -> dict[str, NDArray]:
    """The arrays of the archive that are new or changed."""
    found: dict[str, NDArray] = {}
    own = tuple(name for name in columns.names if name in origin.columns)
    if set(own) & columns.changed:
        found |= _position_arrays(columns, origin.position, own)
    new = tuple(name for name in columns.names if name not in own and name not in columns.normals)
    found |= {name: columns.table[name] for name in new if name in columns.changed}
    if columns.normals and not set(columns.normals) <= set(own) and set(columns.normals) & columns.changed:
        names = origin.normals or (("normal",) if len(origin.position) == 1 else columns.normals)
        stacked = plain(columns.table[list(columns.normals)])
        found |= {names[0]: stacked} if len(names) == 1 else dict(zip(names, stacked.T, strict=True))
    return found


def _position_arrays(columns: Columns, names: tuple[str, ...], own: tuple[str, ...]) -> dict[str, NDArray]:
    if len(names) == 3:
        return {name: columns.table[name] for name in names}
    return {names[0]: plain(columns.table[list(own)])}


def _new_arrays(columns: Columns) -> dict[str, NDArray]:
    def stacked(names: tuple[str, ...]) -> NDArray:
        return columns.table[names[0]] if len(names) == 1 else plain(columns.table[list(names)])

    others = {name: columns.table[name] for name in columns.names if name not in (*columns.position, *columns.normals)}
    normal = {"normal": stacked(columns.normals)} if columns.normals else {}
    return {"pos": stacked(columns.position), **others, **normal}


def _write_archive(file: BinaryIO, arrays: Mapping[str, NDArray], old: bytes | None) -> None:
    """The members of an old archive, byte by byte, but for these arrays."""
    with ZipFile(file, "w", ZIP_STORED) as archive:
        packing = ZIP_STORED
        if old is not None:
            with ZipFile(io.BytesIO(old)) as before:
                for member in before.infolist():
                    packing = member.compress_type
                    if member.filename.removesuffix(".npy") not in arrays:
                        archive.writestr(member, before.read(member))
        for name, array in arrays.items():
            content = io.BytesIO()
            np.save(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(f"{name}.npy", content.getbuffer(), packing)
