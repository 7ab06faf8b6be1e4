"""Rows that are no measured points: too far from the rest of a cloud, or many at one place; codes of missing values,
corrupt numbers."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from tensorframes.geometry.distances import distinct_points, one_cloud
from tensorframes.geometry.kdtree import nearest_in

FARTHEST = 1e4
"""How many median distances from the median a point may lie; a scan with ranges from 0.1 m to 1 km is within it."""

CROWD, TIMES, ALONE = 50, 10, 20
"""How many rows coincide at least at a crowded place; how many times the mean number of rows at a place they are; and
how many times the median distance between nearest places it is away from all others."""

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


def crowded_rows(points: NDArray) -> NDArray[np.bool_]:
    """(N,) bool: rows at a place where at least CROWD rows coincide exactly, at least TIMES as many as there are at a
    place on average, and that is away from all other places, by ALONE times the median distance of nearest places.

    Depth cameras write (0, 0, 0) for missing returns. A pole of a sphere or a tip of a cone, which modellers repeat for
    each meridian, and a point that fills a cloud up to a fixed size are on the surface: they are not crowded. Where all
    places have as many rows, or there is one place only, no row is.

    Args:
        points: (N, d), finite.
    """
    exact = points.astype(np.float64) + 0.0  # -0.0 becomes 0.0
    if _fullest(exact) < CROWD:
        return np.zeros(len(points), dtype=bool)
    found = distinct_points(*one_cloud(exact))
    count, places = found.count.numpy(), exact[found.first.numpy()]
    crowded = count >= max(CROWD, TIMES * len(points) / len(count))
    others = places[~crowded]
    if crowded.any() and len(others) > 1:
        tree = cKDTree(others)
        usual = np.median(nearest_in(tree, others, [2])[0])
        crowded[crowded] = nearest_in(tree, places[crowded], [1])[0][:, 0] > ALONE * usual
    rows: NDArray[np.bool_] = crowded[found.index.numpy()]
    return rows


def within_range(points: NDArray) -> NDArray:
    """The points (N, d), if need be times a power of two, so that squares of their coordinates neither overflow nor
    vanish in float32; directions and ratios of lengths stay exactly what they were.

    Args:
        points: finite.
    """
    largest = np.abs(points).max() if points.size else 0.0
    exponent = int(np.frexp(largest)[1])
    return points if abs(exponent) <= SQUARED else np.ldexp(points, -exponent)


def _fullest(points: NDArray[np.float64]) -> int:
    """A number that no place has more rows than, hardly above the largest: rows are counted by a hash of their place,
    of as many bits as the number of rows has, and at least 16."""
    factors = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)
    mixed = np.zeros(len(points), dtype=np.uint64)
    for axis, column in enumerate(points.T):
        mixed += np.ascontiguousarray(column).view(np.uint64) * factors[axis % 3]
    bits = max(16, len(points).bit_length())
    return int(np.bincount((mixed >> np.uint64(64 - bits)).view(np.int64), minlength=1).max())


def _lengths(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) Euclidean lengths of (N, d), also of those whose squares float64 does not hold."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = np.where((largest > 0) & np.isfinite(largest), vectors / largest, largest > 0)
    return largest[:, 0] * np.linalg.norm(ratios, axis=1)
