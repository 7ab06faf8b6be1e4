"""The rows of a point file as named columns, whatever the format was."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tensorframes.clouds.text import TextTable

POSITION = ("x", "y", "z")
NORMAL = ("nx", "ny", "nz")


@dataclass(frozen=True, eq=False)
class Columns:
    """The rows of a point file.

    Args:
        table: (N,) structured array with the fields x, y, z, perhaps nx, ny, nz, and the file's others, in its order.
        origin: what the format holds besides the rows (a PLY file's other elements, a text file's head); write_cloud
            puts it back.
    """

    table: np.ndarray
    origin: Any = None

    @property
    def pos(self) -> np.ndarray:
        """(N, 3) float64 positions."""
        return np.stack([self.table[name] for name in POSITION], axis=1).astype(np.float64)

    @property
    def normal(self) -> np.ndarray | None:
        """(N, 3) float64 normals as the file has them, or None where it has none."""
        if not set(NORMAL) <= set(self.table.dtype.names):
            return None
        return np.stack([self.table[name] for name in NORMAL], axis=1).astype(np.float64)

    def with_columns(self, values: Mapping[str, np.ndarray]) -> "Columns":
        """The same rows with columns replaced, or added behind the others as float32 (text: float64).

        Args:
            values: a name and (N,) numbers for each column; normals are nx, ny, nz.
        """
        kind = "f8" if isinstance(self.origin, TextTable) else "f4"
        names = self.table.dtype.names
        fields = [(name, self.table.dtype[name]) for name in names]
        fields += [(name, np.dtype(kind)) for name in values if name not in names]
        table = np.empty(len(self.table), dtype=fields)
        for name, _ in fields:
            table[name] = values[name] if name in values else self.table[name]
        return replace(self, table=table)

    def with_normals(self, normal: np.ndarray) -> "Columns":
        """The same rows with these (N, 3) normals."""
        return self.with_columns(dict(zip(NORMAL, np.asarray(normal).T, strict=True)))


def named(values: np.ndarray, names: tuple[str, ...] | None = None) -> np.ndarray:
    """The (N, C) array as rows of named columns.

    Without names: x, y, z, then nx, ny, nz where most rows of columns 4-6 that are finite and not zero are of unit
    length, then c4, c5, ...
    """
    count = values.shape[1]
    if names is None or not set(POSITION) <= set(names) or len(set(names)) < count:
        names = POSITION[:count] + tuple(f"c{index + 1}" for index in range(3, count))
        if count >= 6 and _mostly_unit(values[:, 3:6]):
            names = POSITION + NORMAL + names[6:]
    table = np.empty(len(values), dtype=[(name, values.dtype) for name in names])
    for index, name in enumerate(names):
        table[name] = values[:, index]
    return table


def _mostly_unit(values: np.ndarray) -> bool:
    lengths = np.linalg.norm(values.astype(np.float64), axis=1)
    lengths = lengths[np.isfinite(lengths) & (lengths > 0)]
    return len(lengths) > 0 and bool((np.abs(lengths - 1) < 0.05).mean() > 0.5)


def plain(table: np.ndarray) -> np.ndarray:
    """The named columns as one (N, C) array of their common type."""
    return np.stack([table[name] for name in table.dtype.names], axis=1)
