"""Large clouds: blocks of points, and the margins around them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from tensorframes.geometry.kdtree import nearest_in

SPACING = 8  # a point's spacing is the distance to this neighbour, as for a cloud's scale
WIDEST = 0.999  # quantile of a block's spacings that bounds them; a few isolated points would include the whole cloud


def blocks(pos: NDArray, most: int) -> Iterator[NDArray[np.int64]]:
    """Rows of distinct points (N, 3), ascending, each in one block of at most ``most`` points.

    The cloud is cut in two recursively, across its longest principal axis, so that both parts can be cut into blocks of
    ``most`` points, as few as possible. The blocks depend on the shape alone, not on the pose of the cloud or the order
    of its points, except where rounding decides: where two axes are equally long, where the two ends of an axis are
    alike, or where many points lie at the cut, as in grids.
    """
    waiting = [np.arange(len(pos))]
    while waiting:
        rows = waiting.pop()
        parts = [] if len(rows) <= most else _parts(pos[rows], -(-len(rows) // most))
        if parts:
            waiting += [rows[part] for part in reversed(parts)]
        else:
            yield rows


def _parts(pos: NDArray, count: int) -> list[NDArray[np.bool_]]:
    """Masks (N,) of two parts of points (N, 3), for half of ``count`` blocks, rounded down, and for the others; the
    first on the side of the longer tail; none if all are equal."""
    centred = pos - pos.mean(0)
    centred = centred / max(np.abs(centred).max(), np.finfo(float).tiny)
    projection = centred @ np.linalg.eigh(centred.T @ centred)[1][:, -1]
    projection = projection if (projection**3).sum() < 0 else -projection
    ordered = np.sort(projection)
    cut = ordered[len(ordered) * (count // 2) // count]
    first = projection < cut if cut > ordered[0] else projection <= cut
    return [] if first.all() else [first, ~first]


def margin_rows(pos: NDArray, rows: NDArray[np.int64], scale: float, reach: float, most: int) -> NDArray[np.int64]:
    """Rows of the points (N, 3), ascending, that are not in a block but within ``reach`` spacings of it.

    A spacing is the distance of a point of the block to its 8th neighbour in the block, and at least ``scale``. So the
    margin is wider where points are sparse, as far from a scanner. If there are more than ``most`` rows, the nearest.
    """
    block = pos[rows]
    tree = cKDTree(block)
    spacing = nearest_in(tree, block, [min(SPACING + 1, len(block))])[0][:, 0]
    spacing = np.clip(spacing, scale, max(scale, np.quantile(spacing, WIDEST)))
    farthest = reach * spacing.max()
    near = ((pos >= block.min(0) - farthest) & (pos <= block.max(0) + farthest)).all(1)
    near[rows] = False
    around = np.flatnonzero(near)
    distance, nearest = (each[:, 0] for each in nearest_in(tree, pos[around], [1], farthest))
    within = distance < np.inf
    within[within] = distance[within] < reach * spacing[nearest[within]]
    around, distance = around[within], distance[within]
    if len(around) > most:  # equally distant points are all in or all out, whatever their order
        around = around[distance < np.partition(distance, most)[most]]
    return around
