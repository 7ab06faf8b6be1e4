"""Normals of a whole cloud in one pass."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from tensorframes.estimator import NormalEstimator
from tensorframes.geometry.outliers import far_rows


def normals_of(estimator: NormalEstimator, points: NDArray, rows: NDArray | None = None) -> NDArray[np.float32]:
    """Normals of a cloud of any scale and offset.

    Args:
        estimator: in evaluation mode, on any device.
        points: (N, 3), any real dtype. Centred in float64 before they are rounded to the estimator's dtype. Rows that
            are not finite or far off (`geometry.outliers.far_rows`) take no part and have no normal.
        rows: (M,) numbers in 0..N-1 of the points whose normals are asked for, or an (N,) mask of M of them; by default
            all.

    Returns:
        (N, 3) or (M, 3) float32 unit vectors; a row of zeros is "no normal".

    Raises:
        ValueError: points are not (N, 3) numbers, or none of them is finite; rows are neither of the two.
    """
    points = np.asarray(points)
    if points.ndim != 2 or points.shape[1] != 3 or points.dtype.kind not in "fiu":
        raise ValueError(f"expected points (N, 3) of numbers, got shape {points.shape} of {points.dtype}")
    wanted = np.arange(len(points)) if rows is None else _row_numbers(rows, len(points))
    usable = np.isfinite(points).all(1)
    if not usable.any():
        raise ValueError(f"expected at least one finite point, got {len(points)} points and none finite")
    usable[usable] = ~far_rows(points[usable])
    place = np.cumsum(usable) - 1
    asked = usable[wanted]
    normals = np.zeros((len(wanted), 3), dtype=np.float32)
    if not asked.any():
        return normals
    exact = points[usable].astype(np.float64)
    parameter = next(estimator.parameters())
    pos = torch.from_numpy(exact - exact.mean(0)).to(parameter)
    index = torch.from_numpy(place[wanted[asked]]).to(parameter.device)
    with torch.inference_mode():
        normals[asked] = estimator(pos, rows=index).normal.float().cpu().numpy()
    return normals


def _row_numbers(rows: NDArray, count: int) -> NDArray[np.int64]:
    """Row numbers (M,) from those, or from a mask (count,)."""
    given = np.asarray(rows)
    if given.dtype.kind == "b" and given.shape == (count,):
        return np.flatnonzero(given)
    if given.ndim != 1 or (given.dtype.kind not in "iu" and len(given)):
        raise ValueError(f"expected rows (M,) of integers or a mask ({count},), got {given.dtype} {given.shape}")
    if len(given) and not 0 <= given.min() <= given.max() < count:
        raise ValueError(f"expected rows in 0..{count - 1}, got {given.min()}..{given.max()}")
    return given.astype(np.int64)


class EstimatorMethod:
    """A network where a method of scoring is expected: points in, normals out.

    Args:
        estimator: put into evaluation mode.
        name: what tables call it.
        device: where it runs.
    """

    def __init__(self, estimator: NormalEstimator, name: str = "network", device: torch.device | str = "cpu") -> None:
        self.estimator = estimator.to(device).eval()
        self.name = name

    @property
    def oriented(self) -> bool:
        """Whether the estimator claims that the signs of its normals mean something."""
        return self.estimator.oriented

    def __call__(self, points: NDArray, rows: NDArray | None = None) -> NDArray[np.float32]:
        """Normals (N, 3) of the points (N, 3), or (M, 3) of the rows (M,)."""
        return normals_of(self.estimator, points, rows)
