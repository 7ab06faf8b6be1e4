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

from tensorframes.data.io.arrays import Found, all_arrays, find_points, find_position, new_arrays
from tensorframes.data.io.axes import NORMAL_VECTORS, key_of
from tensorframes.data.io.columns import Columns
from tensorframes.data.io.npy import load, save
from tensorframes.data.io.shape import organised
from tensorframes.errors import UserError


@dataclass(frozen=True, eq=False)
class NpzOrigin:
    """An archive: its bytes, and the points in it."""

    content: bytes
    found: Found


class NpzFormat:
    """pos, points, xyz or the like (N, C) with normal or normals (N, 3); or x, y, z with nx, ny, nz (N,) or (H, W)."""

    name = "NPZ"
    suffixes = (".npz",)
    refusal = ""

    def read(self, path: Path, content: bytes) -> Columns:
        """The points, with all other arrays of one row or number per point; pickled ones are not loaded."""
        archive = load(io.BytesIO(content))
        if isinstance(archive, np.ndarray):
            raise ValueError("one array")
        found = find_points(path, archive, _position(path, archive))
        other_content = tuple(f"array {name}" for name in found.others)
        return Columns(
            found.table, NpzOrigin(content, found), ".npz", other_content=other_content, shape=organised(found.shape)
        )

    def unkept(self, columns: Columns) -> tuple[str, ...]:
        """Lists of variable length, which NumPy can only pickle."""
        return tuple(name for name in columns.names if columns.table.dtype[name].hasobject)

    def write(self, file: BinaryIO, columns: Columns, suffix: str) -> None:
        """The original archive with new and changed arrays; other points as pos, normal, and the other columns."""
        origin = columns.origin if isinstance(columns.origin, NpzOrigin) else None
        arrays = new_arrays(columns, origin.found) if origin else None
        if arrays is None:
            origin, arrays = None, all_arrays(columns)
        _write_archive(file, arrays, origin)


def _position(path: Path, archive: NpzFile) -> tuple[str, ...]:
    """Names of the arrays of positions."""
    if found := find_position(archive.files):
        return found
    unknown = tuple(name for name in archive.files if key_of(name) not in NORMAL_VECTORS)
    if len(unknown) != 1:  # np.savez(file, points) calls the one array arr_0
        raise UserError(f"{path}: expected an array pos, points or xyz, got {', '.join(archive.files) or 'none'}")
    return unknown


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
            save(content, array)
            archive.writestr(f"{name}.npy", content.getbuffer(), packing)
