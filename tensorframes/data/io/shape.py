"""The shape of organised clouds, images whose pixels are points, and what else an array of numbers can be."""

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
"""(rows, columns) of an organised cloud; empty for others."""

CLOUD, LINE = 50, 24
"""Least numbers of points of a cloud in a batch, and of rows whose order tells whether a cloud is organised: a few
clouds that are far apart may be in order by chance."""

FEW = 12
"""Largest number of columns without names that is taken for a few points."""

LINES = 256
"""About the largest number of rows or columns that are looked at."""

PARTS = (2, 3, 4)
"""Parts of an axis that points are apart to be far from each other; a half is one turn of a LiDAR that turns twice."""


def organised(shape: Shape) -> Shape:
    """The shape of points, if they are organised in several rows and columns; otherwise an empty one."""
    return shape if len(shape) == 2 and min(shape) > 1 else ()


def shape_name(shape: Shape) -> str:
    """The name of a shape in messages."""
    return f"shape {shape[0]} x {shape[1]}"


def is_batch(values: NDArray) -> bool:
    """Whether an array (H, W, C) is H clouds of W points rather than one organised cloud of H x W pixels.

    In an organised cloud pixels are close to their neighbours in the same row or column, at least in one coordinate.
    The points of clouds in a batch are taken to have no order: neighbours are as far from each other as others. What is
    not known is taken for one cloud.
    """
    rows, columns = values.shape[:2]
    if rows < 2 or columns < CLOUD:
        return False
    return _unordered(values, 1) and (rows < LINE or _unordered(values, 0))


def _unordered(values: NDArray, axis: int) -> bool:
    """Whether there is a coordinate that tells whether (H, W, C) is ordered along the axis, and all that do say no."""
    lines = np.moveaxis(values, axis, 0)
    lines = lines[:, :: -(-lines.shape[1] // LINES), :3].astype(np.float64)
    lines[~lines.any(axis=-1)] = np.nan  # missing returns
    length, known = len(lines), False
    parts = PARTS if length >= CLOUD else PARTS[:1]
    for coordinate in np.moveaxis(lines, 2, 0):
        numbers = _without_voids(coordinate)
        near, *far = (_difference(numbers, steps) for steps in (1, *(length // part for part in parts)))
        if any(near < each / 2 for each in far):
            return False
        known |= any(near >= each / 2 > 0 for each in far)
    return known


def _without_voids(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values with NaN for the most frequent one, which may stand for missing returns."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return values
    distinct, counts = np.unique(finite, return_counts=True)
    return np.where(values == distinct[counts.argmax()], np.nan, values)


def _difference(values: NDArray[np.float64], steps: int) -> float:
    """The median difference of values (L, M) so many steps apart; NaN if none is finite."""
    with np.errstate(all="ignore"):
        difference = np.abs(values - np.roll(values, steps, axis=0))
    finite = difference[np.isfinite(difference)]
    return float(np.median(finite)) if len(finite) else np.nan
