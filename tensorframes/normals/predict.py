"""Normals of a whole cloud: in one pass, or block by block."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from tensorframes.geometry import cloud_scale
from tensorframes.geometry.distances import distinct_points
from tensorframes.geometry.outliers import far_rows, within_range
from tensorframes.normals.blocks import blocks, surroundings
from tensorframes.normals.degenerate import planes
from tensorframes.normals.estimator import NormalEstimator
from tensorframes.progress import Progress

BLOCK = 250_000
"""Points of a cloud up to which it is one pass, and of the blocks of larger ones."""

REACH = 24.0
"""Spacings of points that the network sees around a block."""

SEEN = 20_000
"""Points around a block that the network sees, if there are so many; around larger blocks as many as in the block."""


CACHED = 8192
"""Points of which all that is known fits the processor's cache."""


def normals_of(
    estimator: NormalEstimator,
    points: NDArray,
    rows: NDArray | None = None,
    block: int | None = BLOCK,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Normals of a cloud of any scale and offset.

    A cloud of more than ``block`` points is worked through in blocks, each with the points within REACH spacings around
    it, so that memory is bounded. Blocks follow the shape of the cloud, not its pose or the order of its points (but
    see ``blocks``). Near the border of a block normals differ from those of one pass; those of a network that looks at
    the whole cloud at once (PointNet, DGCNN) differ everywhere.

    Args:
        estimator: in evaluation mode, on any device.
        points: (N, 3), any real dtype. Centred in float64 before they are rounded to the estimator's dtype, or not
            rounded where the estimator has ``exact``. Rows that are not finite or far off
            (`geometry.outliers.far_rows`) take no part and have no normal.
        rows: (M,) numbers in 0..N-1 of the points whose normals are asked for, or an (N,) mask of M of them; by default
            all.
        block: points of a block; None: one pass, whatever it takes.
        progress: called with the passes that are done and their number, when a pass begins.

    Returns:
        (N, 3) or (M, 3) float32 unit vectors; a row of zeros is "no normal".

    Raises:
        ValueError: points are not (N, 3) numbers, or none of them is finite; rows are neither of the two; block < 1.
    """
    if block is not None and block < 1:
        raise ValueError(f"expected block >= 1 or None, got {block}")
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
    exact = within_range(points[usable].astype(np.float64))
    exact = within_range(exact - exact.mean(0))
    order = neighbours_together(exact)
    exact, index = exact[order], np.argsort(order)[place[wanted[asked]]]
    if block is None or len(exact) <= block:
        if progress is not None:
            progress(0, 1)
        normals[asked] = _pass(estimator, exact, index)
    else:
        normals[asked] = _by_blocks(estimator, exact, index, block, progress)
    return normals


def neighbours_together(points: NDArray) -> NDArray[np.int64]:
    """Rows of points (N, 3) in the order of a kd-tree's leaves: what lies together in space then lies together in
    memory, where it is gathered about a tenth faster than in the random order that clouds come in. Clouds of at most
    CACHED points stay in the processor's cache and in their order."""
    if len(points) <= CACHED:
        return np.arange(len(points))
    return np.asarray(cKDTree(points).indices, dtype=np.int64)


def _pass(
    estimator: NormalEstimator, pos: NDArray, rows: NDArray, scale: float | None = None, profile: Tensor | None = None
) -> NDArray[np.float32]:
    """Normals (M, 3) of rows (M,) of centred points (N, 3) in one pass; ``scale`` and ``profile`` those of the cloud
    they belong to."""
    parameter = next(estimator.parameters())
    index = torch.from_numpy(rows).to(parameter.device)
    with torch.inference_mode():
        length = None if scale is None else parameter.new_tensor([scale])
        known = {} if profile is None else {"profile": profile}  # networks that know none need not take one
        exact = torch.from_numpy(pos).to(parameter.device if getattr(estimator, "exact", False) else parameter)
        found = estimator(exact, scale=length, rows=index, **known).normal
    values: NDArray[np.float32] = found.float().cpu().numpy()
    return values


def _by_blocks(
    estimator: NormalEstimator,
    pos: NDArray,
    rows: NDArray,
    block: int,
    progress: Progress | None,
) -> NDArray[np.float32]:
    """Normals (M, 3) of rows (M,) of centred points (N, 3), block by block."""
    distinct = distinct_points(torch.from_numpy(pos), torch.zeros(len(pos), dtype=torch.long))
    points, asked = pos[distinct.first.numpy()], distinct.index.numpy()[rows]
    wanted = np.zeros(len(points), dtype=bool)
    wanted[asked] = True
    scale = float(cloud_scale(torch.from_numpy(points)))
    profiled = getattr(estimator, "profiled", False)
    profile = estimator.measured_profile(torch.from_numpy(points), scale) if profiled else None
    normals = np.zeros((len(points), 3), dtype=np.float32)
    parts = [part for part in blocks(points, block) if wanted[part].any()]
    for number, part in enumerate(parts):
        if progress is not None:
            progress(number, len(parts))
        around = surroundings(points, part, scale, REACH, max(block, SEEN))
        seen, own = np.sort(np.concatenate([part, around])), part[wanted[part]]
        normals[own] = _pass(estimator, points[seen] - points[part].mean(0), np.searchsorted(seen, own), scale, profile)
    # What lies on a line as far as its block reaches has the plane of the whole cloud, as in one pass.
    plane, known = planes(torch.from_numpy(points).unsqueeze(0))
    if bool(known):
        normals[wanted & (normals == 0).all(1)] = plane[0].numpy()
    return normals[asked]


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
