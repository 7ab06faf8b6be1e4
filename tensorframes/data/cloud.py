"""One point cloud with what is known about it: the value every data set gives and every scorer takes."""

from dataclasses import dataclass

import numpy as np

CATEGORIES = ("no_noise", "low_noise", "med_noise", "high_noise", "vardensity_striped", "vardensity_gradient")
"""The six categories of the PCPNet protocol, in the order of its tables."""

UNIT_TOLERANCE = 1e-3
"""How far from 1 a normal's length may be (dimensionless)."""


@dataclass(frozen=True, eq=False)
class Cloud:
    """N points of one surface, N >= 1, in the file's own unit of length.

    A point whose normal is (0, 0, 0) is *unlabelled*: a point like any other to a method, neither scored nor part of a
    loss. Arrays are converted to the types below, and every length is checked.

    Args:
        name: what lists and tables call it.
        pos: (N, 3) float32, finite positions.
        normal: (N, 3) float32 normals of the surface, unit or, at unlabelled points, zero; None where all are unknown.
        oriented: the signs of the normals are consistent; False refuses the oriented metric and loss.
        scored: (M,) int64 rows that are scored, distinct or not, the unlabelled ones left out; None scores all.
        category: one of CATEGORIES for clouds of the protocol.
        label: class number, or None.
        curvature: (N, 2) float32 largest and smallest principal curvature in 1 / length, NaN where unknown, or None.
        clean_pos: (P, 3) float32, points of the same shape before noise, or None.

    Raises:
        ValueError: shapes disagree, values are not finite, normals are neither unit nor zero, or rows are out of range.
    """

    name: str
    pos: np.ndarray
    normal: np.ndarray | None = None
    oriented: bool = True
    scored: np.ndarray | None = None
    category: str = "no_noise"
    label: int | None = None
    curvature: np.ndarray | None = None
    clean_pos: np.ndarray | None = None

    def __post_init__(self) -> None:
        pos = self._convert("pos", 3)
        if pos is None or len(pos) == 0:
            raise ValueError(f"{self.name}: expected at least one point, got none")
        for field in ("normal", "curvature"):
            values = self._convert(field, 3 if field == "normal" else 2)
            if values is not None and len(values) != len(pos):
                raise ValueError(f"{self.name}: expected {len(pos)} rows of {field}, one a point, got {len(values)}")
        self._convert("clean_pos", 3)
        self._check_unit()
        self._check_rows(len(pos))

    def __len__(self) -> int:
        """N, the number of points."""
        return len(self.pos)

    @property
    def labelled(self) -> np.ndarray:
        """(N,) bool, the points whose normal is known."""
        return np.zeros(len(self), dtype=bool) if self.normal is None else (self.normal != 0).any(axis=1)

    @property
    def scored_rows(self) -> np.ndarray:
        """(M,) int64, the rows that are scored: of those in `scored`, or of all, the labelled ones, in their order."""
        labelled = self.labelled
        return np.flatnonzero(labelled) if self.scored is None else self.scored[labelled[self.scored]]

    def _convert(self, field: str, columns: int) -> np.ndarray | None:
        """The field as a (rows, columns) float32 array, finite but for curvature, stored back; None stays None."""
        given = getattr(self, field)
        if given is None:
            return None
        values = np.ascontiguousarray(given, dtype=np.float32)
        if values.ndim != 2 or values.shape[1] != columns:
            raise ValueError(f"{self.name}: expected {field} of shape (N, {columns}), got {values.shape}")
        if field == "curvature":
            values = np.where(np.isfinite(values), values, np.float32("nan"))
        elif not np.isfinite(values).all():
            raise ValueError(f"{self.name}: expected finite {field}, got NaN or infinity")
        object.__setattr__(self, field, values)
        return values

    def _check_unit(self) -> None:
        if self.normal is None:
            return
        off = np.abs(np.linalg.norm(self.normal.astype(np.float64), axis=1) - self.labelled).max()
        if off > UNIT_TOLERANCE * 1.01:
            raise ValueError(f"{self.name}: expected unit or zero normals, got a length off by {off:.2g}")

    def _check_rows(self, count: int) -> None:
        if self.scored is None:
            return
        rows = np.asarray(self.scored)
        if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer):
            raise ValueError(f"{self.name}: expected scored rows as (M,) integers, got {rows.dtype} {rows.shape}")
        if len(rows) and not 0 <= rows.min() <= rows.max() < count:
            raise ValueError(f"{self.name}: expected scored rows in 0..{count - 1}, got {rows.min()}..{rows.max()}")
        object.__setattr__(self, "scored", rows.astype(np.int64))
