"""Clouds in NumPy's own files: NPY, one array (N, C) or rows of named fields; NPZ, arrays by name."""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from tensorframes.clouds.columns import NORMAL, Columns, named, plain
from tensorframes.clouds.text import read_bytes
from tensorframes.errors import UserError


def read_npy(path: Path) -> Columns:
    """The rows of one array; UserError where it is none of numbers."""
    values = _load(path)
    if not isinstance(values, np.ndarray):
        raise UserError(f"{path}: expected one array, got an archive of several")
    return Columns(_table_of(path, values), values[:0])


def write_npy(path: Path, columns: Columns) -> None:
    """Writes one array: (N, C), or named fields where the rows came from such a file."""
    structured = isinstance(columns.origin, np.ndarray) and columns.origin.dtype.names
    np.save(path, columns.table if structured else plain(columns.table))


def read_npz(path: Path) -> Columns:
    """The rows of pos (or points, xyz) with normal (or normals); UserError where they are missing or disagree."""
    archive = _load(path)
    if isinstance(archive, np.ndarray):
        return Columns(_table_of(path, archive))
    try:
        arrays = {name: archive[name] for name in archive.files}
    except Exception as error:
        raise UserError(f"{path}: expected arrays of numbers, got: {error}") from error
    keys = {name.lower(): name for name in arrays}
    pos = next((keys[name] for name in ("pos", "points", "xyz") if name in keys), None)
    if pos is None:
        raise UserError(f"{path}: expected an array pos, points or xyz, got {', '.join(arrays) or 'none'}")
    columns = Columns(_table_of(path, arrays[pos]), (pos, arrays))
    normal = next((keys[name] for name in ("normal", "normals") if name in keys), None)
    if normal is None:
        return columns
    if arrays[normal].shape != (len(columns.table), 3):
        raise UserError(f"{path}: expected {normal} of shape {(len(columns.table), 3)}, got {arrays[normal].shape}")
    return columns.with_normals(arrays[normal])


def write_npz(path: Path, columns: Columns) -> None:
    """Writes positions and normals beside the arrays that the rows came with."""
    key, arrays = columns.origin if isinstance(columns.origin, tuple) else ("pos", {})
    kept = {name: array for name, array in arrays.items() if name.lower() not in ("normal", "normals")}
    normal = {} if columns.normal is None else {"normal": columns.normal.astype(np.float32)}
    others = [name for name in columns.table.dtype.names if name not in NORMAL]
    np.savez(path, **{**kept, key: plain(columns.table[others]), **normal})


def _load(path: Path) -> Any:
    read_bytes(path)
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, BadZipFile) as error:
        raise UserError(f"{path}: expected an array of numbers, got: {error}".replace("\n", " ")) from error


def _table_of(path: Path, values: np.ndarray) -> np.ndarray:
    if values.dtype.names:
        return values.reshape(-1)
    if values.ndim != 2 or values.shape[1] < 3 or values.dtype.kind not in "fiu":
        raise UserError(f"{path}: expected numbers of shape (N, 3) or (N, 6), got {values.dtype} {values.shape}")
    return named(values)
