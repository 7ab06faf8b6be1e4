"""The written rule for rows of real data that can't be used as they are.

1. A row whose position is not finite is dropped.
2. A row farther from the coordinate-wise median of the rows that 1 left than 10,000 times the median distance is
   dropped (`geometry.outliers.far_rows`): some scanners write 1e15 where they saw nothing.
3. A row whose normal is not finite, or shorter than 1e-6 (text files have six digits), is kept, with the normal
   (0, 0, 0): the point is unlabelled, see `Cloud`.
4. A normal whose length is off 1 by more than 1e-3 is counted. All others are divided by their length.
5. Where the bounding box's centre is farther from the origin than its diagonal is long, the cloud is moved to the
   origin, in float64: float32 would round its points more coarsely than it need, in survey coordinates onto a grid, and
   already two diagonals away (PCPNet's fandisk) more coarsely than the file's six decimals.
6. Where coordinates are larger or smaller than float32 computes with, all are multiplied by a power of two.

Row numbers (`.pidx`) are counted anew without the dropped rows; those of dropped and unlabelled rows are dropped.
"""

import logging
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields

import numpy as np

from tensorframes.data.cloud import UNIT_TOLERANCE
from tensorframes.errors import UserError
from tensorframes.geometry.outliers import far_rows, within_range

SHORTEST = 1e-6
OFFSET = 1.0


@dataclass(frozen=True)
class Counts:
    """How many rows the rule met: read, not finite, far, unlabelled, not of unit length; row numbers dropped."""

    rows: int = 0
    not_finite: int = 0
    far: int = 0
    unlabelled: int = 0
    renormalised: int = 0
    unscored: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, eq=False)
class Cleaned:
    """What is left: arrays as in Cloud, and the counts."""

    pos: np.ndarray
    normal: np.ndarray | None
    scored: np.ndarray | None
    curvature: np.ndarray | None
    counts: Counts


def clean(
    name: str,
    pos: np.ndarray,
    normal: np.ndarray | None = None,
    scored: np.ndarray | None = None,
    curvature: np.ndarray | None = None,
) -> Cleaned:
    """Applies the rule above.

    Args:
        name: the cloud's, for the errors.
        pos: (N, 3) floats.
        normal: (N, 3) floats of any length, or None.
        scored: (M,) row numbers in 0..N-1, or None.
        curvature: (N, 2) floats, or None.

    Raises:
        UserError: no row is left, normals are given and no row has one, or row numbers are out of range.
    """
    if scored is not None and len(scored) and not 0 <= scored.min() <= scored.max() < len(pos):
        raise UserError(f"{name}: expected row numbers in 0..{len(pos) - 1}, got {scored.min()}..{scored.max()}")
    finite = np.isfinite(pos).all(1)
    keep = finite.copy()
    keep[finite] = ~far_rows(pos[finite])
    if not keep.any():
        raise UserError(f"{name}: expected points with finite positions, got none in {len(pos)} rows")
    unit, length = (None, np.ones(len(pos))) if normal is None else _unit(normal)
    labelled = keep & (length > 0)
    if not labelled.any():
        raise UserError(f"{name}: expected points with normals, got none in {len(pos)} rows")
    kept_scored = None if scored is None else (np.cumsum(keep) - 1)[scored[labelled[scored]]]
    counts = Counts(
        rows=len(pos),
        not_finite=int((~finite).sum()),
        far=int((finite & ~keep).sum()),
        unlabelled=int((keep & ~labelled).sum()),
        renormalised=int((np.abs(length[labelled] - 1) > UNIT_TOLERANCE).sum()),
        unscored=0 if scored is None else len(scored) - len(kept_scored),
    )
    kept_normal = None if unit is None else unit[keep].astype(np.float32)
    kept_curvature = None if curvature is None else curvature[keep].astype(np.float32)
    return Cleaned(_near_origin(pos[keep]), kept_normal, kept_scored, kept_curvature, counts)


WORDS = (
    "rows not finite dropped",
    "far rows dropped",
    "rows without a normal kept, not scored",
    "normals made unit",
    "row numbers dropped",
)
"""What report calls the numbers of Counts after the first."""


def report(what: str, counts: Iterable[Counts]) -> None:
    """Logs one line on what the rule met in a data set, as a warning where rows were dropped or changed."""
    clouds = list(counts)
    total = sum(clouds, Counts())
    met = [
        f"{getattr(total, field.name):,} {words}"
        for field, words in zip(fields(Counts)[1:], WORDS, strict=True)
        if getattr(total, field.name)
    ]
    level = logging.WARNING if met else logging.INFO
    found = ", ".join(met) or "all clean"
    logging.getLogger(__name__).log(level, "%s: clouds %d, rows %s; %s", what, len(clouds), f"{total.rows:,}", found)


def _unit(normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) float64 normals divided by their lengths, and these (N,); both are 0 in rows that have no normal."""
    exact = normal.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.linalg.norm(exact, axis=1)
    there = np.isfinite(length) & (length >= SHORTEST)
    length = np.where(there, length, 0.0)
    return np.where(there[:, None], exact, 0.0) / np.where(there, length, 1.0)[:, None], length


def _near_origin(pos: np.ndarray) -> np.ndarray:
    pos = within_range(pos)
    low, high = pos.min(0).astype(np.float64), pos.max(0).astype(np.float64)
    centre = (low + high) / 2
    far = np.linalg.norm(centre) > OFFSET * np.linalg.norm(high - low)
    return within_range(pos - centre if far and len(pos) > 1 else pos).astype(np.float32)
