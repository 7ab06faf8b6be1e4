"""Clouds that are too large for one pass: blocks of points, and what lies around them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree


def blocks(pos: NDArray, most: int) -> Iterator[NDArray[np.int64]]:
    """Rows of points (N, 3), each in one block of at most ``most``: the cloud is halved across its longest principal
    axis, at the median, its halves likewise, and so on.

    Which points share a block depends on the shape alone: not on the pose of the cloud or the order of its points, up
    to rounding, and to symmetries that leave no longest axis. Points at the same place belong to one block, so that one
    of more than ``most`` of these is larger.
    """
    waiting = [np.arange(len(pos))]
    while waiting:
        rows = waiting.pop()
        halves = [] if len(rows) <= most else _halves(pos, rows)
        if halves:
            waiting += halves[::-1]
        else:
            yield rows


def _halves(pos: NDArray, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Both halves, the first where the points are wider spread; none where all points are equal."""
    centred = pos[rows] - pos[rows].mean(0)
    axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    along = np.zeros(len(rows))
    for column, share in zip(centred.T, axis, strict=True):
        along += share * column  # number by number: equal points stay equal
    along = along if (along**3).sum() < 0 else -along
    ordered = np.sort(along)
    cut = ordered[len(ordered) // 2]
    first = along < cut if cut > ordered[0] else along <= cut
    return [] if first.all() else [rows[first], rows[~first]]


def surroundings(pos: NDArray, rows: NDArray[np.int64], reach: float, most: int) -> NDArray[np.int64]:
    """Rows of the points (N, 3) within ``reach`` of some point of a block, that are not in it: of more than ``most``
    those nearest to it."""
    own = pos[rows]
    near = ((pos >= own.min(0) - reach) & (pos <= own.max(0) + reach)).all(1)
    near[rows] = False
    around = np.flatnonzero(near)
    distance, _ = cKDTree(own).query(pos[around], distance_upper_bound=reach, workers=-1)
    within = np.isfinite(distance)
    around, distance = around[within], distance[within]
    if len(around) > most:
        around = np.sort(around[np.argpartition(distance, most - 1)[:most]])
    return around
