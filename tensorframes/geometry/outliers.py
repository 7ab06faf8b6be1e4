"""Rows too far from the rest of a cloud to be measured points: codes of missing values, corrupt numbers."""

import numpy as np
from numpy.typing import NDArray

FARTHEST = 1e4
"""How many median distances from the median a point may lie; a scan with ranges from 0.1 m to 1 km is within it."""


SQUARED = 40
"""Powers of two up to which coordinates are left as they are: float32 holds products of three, and their inverses."""


def far_rows(points: NDArray) -> NDArray[np.bool_]:
    """(N,) bool: rows farther from the coordinate-wise median of the points than FARTHEST times the median distance.

    The distances are Euclidean, in float64; zeros (copies of the median) are left out of their median. So at most half
    of the other rows are far. The bound is far above the extent of plates, wires and groups of objects. Some scanners
    write coordinates of 1e6 or more for missing returns; these exceed it for a cloud of extent 1.

    Args:
        points: (N, d), finite.
    """
    if len(points) == 0:
        return np.zeros(0, dtype=bool)
    # Numbers near float64's largest overflow to infinity: far, as they should be.
    with np.errstate(over="ignore"):
        exact = points.astype(np.float64)
        distance = _lengths(exact - np.median(exact, axis=0))
        away = distance[distance > 0]
        return distance > (FARTHEST * np.median(away) if len(away) else 0.0)


def within_range(points: NDArray) -> NDArray:
    """The points (N, d), if need be times a power of two, so that squares of their coordinates neither overflow nor
    vanish in float32; directions and ratios of lengths stay exactly what they were.

    Args:
        points: finite.
    """
    largest = np.abs(points).max() if points.size else 0.0
    exponent = int(np.frexp(largest)[1])
    return points if abs(exponent) <= SQUARED else np.ldexp(points, -exponent)


def _lengths(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) Euclidean lengths of (N, d), also of those whose squares float64 does not hold."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = np.where((largest > 0) & np.isfinite(largest), vectors / largest, largest > 0)
    return largest[:, 0] * np.linalg.norm(ratios, axis=1)
