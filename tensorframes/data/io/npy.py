"""NumPy files of one array: (N, C) numbers, rows of named fields, or organised (H, W, C) and (H, W) of either."""

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.columns import NORMAL, POSITION, Columns, plain, table_of
from tensorframes.data.io.shape import FEW, is_batch, organised
from tensorframes.data.io.surplus import note_on_bytes
from tensorframes.data.io.text import identified_by_position, positional_names
from tensorframes.data.io.types import exact_type
from tensorframes.errors import UserError

MOST = 32
"""Largest number of columns without names; images have more."""

PICKLED = "Python objects, which are never loaded; save numbers"

LONGEST_HEADER = 1 << 20
"""Bytes of a header that are parsed: names of some ten thousand fields. NumPy parses 10,000 by default."""


@dataclass(frozen=True, eq=False)
class NpyOrigin:
    """The layout of the numbers in the file.

    Args:
        shape: of the points, (N,) or (H, W).
        named: rows of named fields; otherwise an array of numbers.
        fortran: columns one after the other.
    """

    shape: tuple[int, ...]
    named: bool
    fortran: bool


class NpyFormat:
    """Columns of numbers are named by position (`text.positional_names`), fields by their names."""

    name = "NPY"
    suffixes = (".npy",)
    refusal = ""

    def read(self, path: Path, content: bytes) -> Columns:
        """The points of one array; pickled objects are never loaded."""
        stream = io.BytesIO(content)
        values = load(stream)
        if not isinstance(values, np.ndarray):
            raise ValueError("an archive of arrays")
        named = values.dtype.names is not None
        shape = values.shape if named else values.shape[:-1]
        fortran = values.ndim > 1 and bool(np.isfortran(values))
        origin, notes = NpyOrigin(shape, named, fortran), note_on_bytes(content, stream.tell())
        return Columns(rows_of(path, values), origin, ".npy", shape=organised(shape), notes=notes)

    def unkept(self, columns: Columns) -> tuple[str, ...]:
        """Lists of variable length, which NumPy can only pickle."""
        return tuple(name for name in columns.names if columns.table.dtype[name].hasobject)

    def write(self, file: BinaryIO, columns: Columns, suffix: str) -> None:
        """The array in the layout of the original file; other points as (N, C) numbers if position identifies their
        names."""
        origin = columns.origin if isinstance(columns.origin, NpyOrigin) else None
        by_place = not origin.named if origin else _named_by_position(columns)
        plainly = by_place and _have_common_type(columns)
        columns = _normals_last(columns) if plainly else columns
        values = plain(columns.table) if plainly else columns.table
        shape = origin.shape if origin else columns.grid
        if shape and np.prod(shape, dtype=int) == len(values):
            values = values.reshape((*shape, values.shape[1]) if plainly else shape)
        save(file, np.asfortranarray(values) if origin and origin.fortran else values)


def load(stream: io.BytesIO) -> NDArray | np.lib.npyio.NpzFile:
    """The array, up to its end, or the archive in a file's content, without pickles.

    Raises:
        ValueError: it is none, or cut off.
    """
    if not stream.getvalue().startswith((b"\x93NUMPY", b"PK")):
        raise ValueError("a file of another kind")
    try:
        return np.load(stream, allow_pickle=False, max_header_size=LONGEST_HEADER)
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise ValueError(PICKLED) from error
        raise


def save(file: BinaryIO, values: NDArray) -> None:
    """Writes an array without pickles; names beyond Latin-1 need version 3 of the format, long headers version 2."""
    beyond = any(ord(sign) > 255 for name in values.dtype.names or () for sign in name)
    long = len(repr(values.dtype.descr)) > 1 << 15  # version 1 has room for 64 KiB
    version = (3, 0) if beyond else (2, 0) if long else (1, 0)
    np.lib.format.write_array(file, np.asanyarray(values), version, allow_pickle=False)


def rows_of(path: Path, values: NDArray, place: str = "") -> NDArray:
    """(N,) structured array of the rows of an array, which may be called by its ``place`` in the file.

    Raises:
        UserError: it is not of points.
    """
    if values.dtype.names:
        return values.reshape(-1)
    shape, within = values.shape, place and f" in {place}"
    count = shape[-1] if values.ndim >= 2 else 0
    transposed = shape[0] in (3, 4, 6) if values.ndim == 2 else 3 in shape[-3:-1]
    if count > FEW and transposed:
        what = "one point a column; transpose it"
        raise UserError(f"{path}: expected one point a row, (N, 3){within}, got shape {shape}: {what}")
    if values.ndim > 3 or count > MOST:
        raise UserError(f"{path}: expected (N, 3) or (rows, columns, 3){within}, got an array of shape {shape}")
    if count < 3 or values.dtype.kind not in "fiu":
        raise UserError(f"{path}: expected numbers of shape (N, 3) or (N, 6){within}, got {values.dtype} {shape}")
    if values.ndim == 3:
        expect_one_cloud(path, values, within)
    columns = list(values.reshape(-1, count).T)
    return table_of(dict(zip(positional_names(columns), columns, strict=True)))


def expect_one_cloud(path: Path, values: NDArray, within: str) -> None:
    """Checks that an array (rows, columns, C) of points, ``within`` a file, is no batch of clouds."""
    if is_batch(values):
        expected = f"expected (N, 3), or (rows, columns, 3) of one organised cloud{within}"
        what = "a batch of clouds; save one of them on its own; if it is one cloud, reshape it to (N, 3)"
        raise UserError(f"{path}: {expected}, got {values.shape}: {what}")


def _normals_last(columns: Columns) -> Columns:
    """The columns with the normals moved to the end, if they are recognised by position only there."""
    order = [*(name for name in columns.names if name not in columns.normals), *columns.normals]
    last = replace(columns, table=columns.table[order])
    return last if identified_by_position(last) and not identified_by_position(columns) else columns


def _named_by_position(columns: Columns) -> bool:
    """Whether position identifies all columns: positions and normals, and no others."""
    arrays = [columns.table[name] for name in columns.names]
    return columns.names in (POSITION, POSITION + NORMAL) and positional_names(arrays) == columns.names


def _have_common_type(columns: Columns) -> bool:
    """Whether one number type represents all columns exactly."""
    arrays = [columns.table[name] for name in columns.names]
    if any(array.ndim > 1 or array.dtype.kind not in "iuf" for array in arrays):
        return False
    common = np.result_type(*arrays).str[1:]
    return all(array.dtype.kind == "f" or exact_type(array, (common,)) is not None for array in arrays)
