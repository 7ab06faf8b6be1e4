"""The shape of organised clouds, images whose pixels are points, and what else an array of numbers can be."""

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
"""(rows, columns) of an organised cloud; empty for others."""

CLOUD, LINE = 50, 8
"""Least numbers of points of a cloud in a batch, and of a column of an organised cloud that tells whether it is one."""


def organised(shape: Shape) -> Shape:
    """The shape of points, if they are organised in several rows and columns; otherwise an empty one."""
    return shape if len(shape) == 2 and min(shape) > 1 else ()


def shape_name(shape: Shape) -> str:
    """The name of a shape in messages."""
    return f"shape {shape[0]} x {shape[1]}"


def is_batch(values: NDArray) -> bool:
    """Whether an array (H, W, C) is H clouds of W points rather than one organised cloud of H x W pixels.

    In an organised cloud pixels are close to their neighbours in the same row or column. The points of clouds in a
    batch are taken to have no order: neighbours are as far from each other as others.
    """
    rows, columns = values.shape[:2]
    if rows < 2 or columns < CLOUD:
        return False
    points = values[..., :3].astype(np.float64)
    points[~points.any(axis=-1)] = np.nan  # missing returns
    return not _ordered(points, 1) and (rows < LINE or not _ordered(points, 0))


def _ordered(points: NDArray[np.float64], axis: int) -> bool:
    """Whether neighbours along the axis of (H, W, 3) are less than half as far from each other as points that are half
    the axis apart, as far as is known."""
    near, far = (_distance(points, steps, axis) for steps in (1, points.shape[axis] // 2))
    return not near >= far / 2


def _distance(points: NDArray[np.float64], steps: int, axis: int) -> float:
    """The median distance of points (H, W, 3) so many steps apart; NaN if none is finite."""
    with np.errstate(all="ignore"):
        distance = np.linalg.norm(points - np.roll(points, steps, axis), axis=-1)
    finite = distance[np.isfinite(distance)]
    return float(np.median(finite)) if len(finite) else np.nan
