"""Cleaning of real data: the rule for rows that cannot be used as they are.

1. A row whose position is not finite is dropped.
2. A row farther from the coordinate-wise median of the rows that 1 left than 10,000 times the median distance is
   dropped (`geometry.outliers.far_rows`): some scanners write 1e15 for rays without a return.
3. Rows of a crowded place are dropped (`geometry.outliers.crowded_rows`): depth cameras write (0, 0, 0) for missing
   returns.
4. A row whose normal is not finite, or shorter than 1e-6 (text files have six digits), gets the normal (0, 0, 0): the
   point is unlabelled, see `Cloud`.
5. A normal whose length is off 1 by more than 1e-3 is counted. All others are divided by their length.
6. A cloud whose bounding box's centre is farther from the origin than its diagonal is long is moved to the origin, in
   float64. Otherwise float32 rounds its points more coarsely than necessary: survey coordinates onto a grid, and
   PCPNet's fandisk, two diagonals away, more coarsely than the file's six decimals.
7. Coordinates beyond the range that float32 computes with are multiplied by a power of two.

1 to 3 are the rows that get no normal when normals are estimated, too (`normals.missing.left_out`).

The evaluation index (`.pidx`) is renumbered without the dropped rows; dropped and unlabelled rows are removed from it.
"""

import logging
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields

import numpy as np

from tensorframes.data.cloud import UNIT_TOLERANCE
from tensorframes.errors import UserError
from tensorframes.geometry.outliers import within_range
from tensorframes.normals.missing import CROWDED, FAR, NOT_FINITE, left_out
from tensorframes.words import counted

SHORTEST = 1e-6
OFFSET = 1.0


@dataclass(frozen=True)
class Counts:
    """Numbers of rows: read, not finite, far, at crowded places, unlabelled, normalised; and of entries removed from
    the evaluation index."""

    rows: int = 0
    not_finite: int = 0
    far: int = 0
    crowded: int = 0
    unlabelled: int = 0
    renormalised: int = 0
    dropped_index: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, eq=False)
class Cleaned:
    """The cleaned arrays, as in Cloud, and the counts."""

    pos: np.ndarray
    normal: np.ndarray | None
    eval_index: np.ndarray | None
    counts: Counts


def clean(
    name: str,
    pos: np.ndarray,
    normal: np.ndarray | None = None,
    eval_index: np.ndarray | None = None,
) -> Cleaned:
    """Applies the rule of this module.

    Args:
        name: of the cloud, for the errors.
        pos: (N, 3) floats.
        normal: (N, 3) floats of any length, or None.
        eval_index: (M,) rows that the protocol scores, in 0..N-1, or None.

    Raises:
        UserError: no row is left, normals are given and no row has one, or row numbers are out of range.
    """
    if eval_index is not None and len(eval_index) and not 0 <= eval_index.min() <= eval_index.max() < len(pos):
        raise UserError(
            f"{name}: expected row numbers in 0..{len(pos) - 1}, got {eval_index.min()}..{eval_index.max()}"
        )
    without = left_out(pos)
    keep = ~np.any([*without.values()], axis=0)
    if not keep.any():
        raise UserError(f"{name}: expected points with finite positions, got none in {counted(len(pos), 'row')}")
    unit, length = (None, np.ones(len(pos))) if normal is None else _unit(normal)
    labelled = keep & (length > 0)
    if not labelled.any():
        raise UserError(f"{name}: expected points with normals, got none in {counted(len(pos), 'row')}")
    new_index = None if eval_index is None else (np.cumsum(keep) - 1)[eval_index[labelled[eval_index]]]
    counts = Counts(
        rows=len(pos),
        not_finite=int(without[NOT_FINITE].sum()),
        far=int(without[FAR].sum()),
        crowded=int(without[CROWDED].sum()),
        unlabelled=int((keep & ~labelled).sum()),
        renormalised=int((np.abs(length[labelled] - 1) > UNIT_TOLERANCE).sum()),
        dropped_index=0 if eval_index is None or new_index is None else len(eval_index) - len(new_index),
    )
    new_normal = None if unit is None else unit[keep].astype(np.float32)
    return Cleaned(_near_origin(pos[keep]), new_normal, new_index, counts)


WORDS = (
    ("row", "not finite dropped"),
    ("far row", "dropped"),
    ("row", "at a crowded place dropped"),
    ("row", "without a normal kept, not scored"),
    ("normal", "made unit"),
    ("row number", "dropped"),
)
"""Descriptions of the fields of Counts after the first, for `report`."""


def report(what: str, counts: Iterable[Counts]) -> None:
    """Logs one line on a dataset's counts, as a warning if rows were dropped or changed."""
    clouds = list(counts)
    total = sum(clouds, Counts())
    changes = [
        f"{counted(number, noun)} {done}"
        for field, (noun, done) in zip(fields(Counts)[1:], WORDS, strict=True)
        if (number := getattr(total, field.name))
    ]
    level = logging.WARNING if changes else logging.INFO
    summary = ", ".join(changes) or "all clean"
    logging.getLogger(__name__).log(level, "%s: clouds %d, rows %s; %s", what, len(clouds), f"{total.rows:,}", summary)


def _unit(normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals (N, 3) float64 and the lengths before (N,); both are 0 in rows without a normal."""
    exact = normal.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.linalg.norm(exact, axis=1)
    valid = np.isfinite(length) & (length >= SHORTEST)
    length = np.where(valid, length, 0.0)
    return np.where(valid[:, None], exact, 0.0) / np.where(valid, length, 1.0)[:, None], length


def _near_origin(pos: np.ndarray) -> np.ndarray:
    """Points 6 and 7 of the rule; float32."""
    pos = within_range(pos)
    low, high = pos.min(0).astype(np.float64), pos.max(0).astype(np.float64)
    centre = (low + high) / 2
    far = np.linalg.norm(centre) > OFFSET * np.linalg.norm(high - low)
    return within_range(pos - centre if far and len(pos) > 1 else pos).astype(np.float32)
