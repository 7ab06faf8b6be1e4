"""One point cloud and its attributes: what datasets return and what scoring takes."""

from dataclasses import dataclass, replace

import numpy as np

from tensorframes.errors import UserError

CATEGORIES = ("no_noise", "low_noise", "med_noise", "high_noise", "vardensity_striped", "vardensity_gradient")
"""The six categories of the PCPNet protocol, in the order of its tables."""

UNIT_TOLERANCE = 1e-3
"""How far from 1 a normal's length may be (dimensionless)."""


@dataclass(frozen=True, eq=False)
class Cloud:
    """N points of one surface, N >= 1, in the file's own unit of length.

    A point whose normal is (0, 0, 0) is *unlabelled*: methods are given it like any other point, losses and scores
    leave it out. Arrays are converted to the types below, and all lengths are checked.

    Args:
        name: its name in lists and tables.
        pos: (N, 3) float32, finite positions.
        normal: (N, 3) float32 normals of the surface, unit or, at unlabelled points, zero; None if no point has one.
        oriented: the signs of the normals are consistent; oriented metrics and losses refuse clouds without.
        eval_index: (M,) int64, the rows that the protocol scores, in this order, repetitions included. Unlabelled rows
            are removed from what is given; None stands for all labelled rows.
        category: one of CATEGORIES for clouds of the protocol.
        label: class number, or None.
        clean_pos: (P, 3) float32, points of the same shape before noise, or None.

    Raises:
        UserError: shapes disagree, values are not finite, normals are neither unit nor zero, or rows are out of range.
    """

    name: str
    pos: np.ndarray
    normal: np.ndarray | None = None
    oriented: bool = True
    eval_index: np.ndarray = None  # type: ignore[assignment]  # always an array once constructed
    category: str = "no_noise"
    label: int | None = None
    clean_pos: np.ndarray | None = None

    def __post_init__(self) -> None:
        pos, normal, _ = (self._convert(field) for field in ("pos", "normal", "clean_pos"))
        if pos is None or len(pos) == 0:
            raise UserError(f"{self.name}: expected at least one point, got none")
        if normal is not None and len(normal) != len(pos):
            raise UserError(f"{self.name}: expected {len(pos)} rows of normal, one per point, got {len(normal)}")
        self._check_unit()
        self._set_eval_index(len(pos))

    def __len__(self) -> int:
        """N, the number of points."""
        return len(self.pos)

    @property
    def labelled(self) -> np.ndarray:
        """(N,) bool, the points that have a normal."""
        return np.zeros(len(self), dtype=bool) if self.normal is None else (self.normal != 0).any(axis=1)

    def first(self, count: int) -> "Cloud":
        """The same with at most its first ``count`` points, and the rows to score among these."""
        normal = None if self.normal is None else self.normal[:count]
        return replace(self, pos=self.pos[:count], normal=normal, eval_index=self.eval_index[self.eval_index < count])

    def _convert(self, field: str) -> np.ndarray | None:
        """Stores a field as a finite (rows, 3) float32 array and returns it; None stays None."""
        given = getattr(self, field)
        if given is None:
            return None
        values = np.ascontiguousarray(given, dtype=np.float32)
        if values.ndim != 2 or values.shape[1] != 3:
            raise UserError(f"{self.name}: expected {field} of shape (N, 3), got {values.shape}")
        if not np.isfinite(values).all():
            raise UserError(f"{self.name}: expected finite {field}, got NaN or infinity")
        object.__setattr__(self, field, values)
        return values

    def _check_unit(self) -> None:
        if self.normal is None:
            return
        off = np.abs(np.linalg.norm(self.normal.astype(np.float64), axis=1) - self.labelled).max()
        if off > UNIT_TOLERANCE * 1.01:
            raise UserError(f"{self.name}: expected unit or zero normals, got a length off by {off:.2g}")

    def _set_eval_index(self, count: int) -> None:
        """Checks the rows given and stores the labelled ones."""
        given: np.ndarray | None = self.eval_index
        if given is None:
            object.__setattr__(self, "eval_index", np.flatnonzero(self.labelled))
            return
        rows = np.asarray(given)
        if rows.ndim != 1 or (len(rows) and not np.issubdtype(rows.dtype, np.integer)):
            raise UserError(f"{self.name}: expected eval_index as (M,) integers, got {rows.dtype} {rows.shape}")
        if len(rows) and not 0 <= rows.min() <= rows.max() < count:
            raise UserError(f"{self.name}: expected eval_index in 0..{count - 1}, got {rows.min()}..{rows.max()}")
        rows = rows.astype(np.int64)
        object.__setattr__(self, "eval_index", rows[self.labelled[rows]])
