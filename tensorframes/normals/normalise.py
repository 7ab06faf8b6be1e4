"""The one place that merges equal points, centres clouds and divides them by their scale.

``usable_points`` selects the valid points of a user's array. ``merged_cloud`` merges and measures a cloud that is
processed in blocks. ``normalised`` computes the input of a network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from tensorframes.geometry import cloud_scale, nearest_neighbours, sampled_scale, thinned_rows
from tensorframes.geometry.distances import distinct_points, one_cloud
from tensorframes.geometry.outliers import within_range
from tensorframes.normals.missing import NOT_FINITE, left_out
from tensorframes.words import counted

SAMPLED = 1_000_000
"""Largest number of points at which a cloud's scale is measured; larger clouds are sampled (``thinned_rows``)."""

CACHED = 8192
"""Largest number of points whose data fit into the processor's cache."""


@dataclass(frozen=True)
class NormalisedClouds:
    """Distinct points of a batch of clouds, centred and in units of each cloud's scale."""

    pos: Tensor  # (U, 3) float64
    batch: Tensor  # (U,) cloud of each point, ascending
    index: Tensor  # (N,) the distinct point of each row given
    knn_index: Tensor  # (U, K) rows of the nearest points, the point itself first


def normalised(
    pos: Tensor, batch: Tensor, dtype: torch.dtype, neighbours: int, scale: Tensor | None = None
) -> NormalisedClouds:
    """The input of a network: distinct points, centred and divided by the scale of their cloud.

    Points that are equal in the network's precision are merged. Distances, scales and normalised positions are computed
    from the exact positions, because further rounding could change neighbours and samples.

    Args:
        pos: (N, 3). batch: (N,) ascending.
        dtype: the network's precision.
        neighbours: least number of columns of ``knn_index``.
        scale: (B,) of the clouds, by default ``cloud_scale``.

    Raises:
        ValueError: there is not one finite scale above 0 for each cloud.
    """
    distinct = distinct_points(pos if pos.dtype == dtype else centred(pos, batch).to(dtype), batch)
    points, batch_of = pos.index_select(0, distinct.first), batch.index_select(0, distinct.first)
    knn_index = nearest_neighbours(points, batch_of, neighbours)
    lengths = cloud_scale(points, batch_of, table=knn_index) if scale is None else scale
    return NormalisedClouds(in_scale(points, batch_of, lengths), batch_of, distinct.index, knn_index)


def in_scale(pos: Tensor, batch: Tensor, lengths: Tensor) -> Tensor:
    """Positions (N, 3) centred on their cloud's mean, in units of its scale (B,), float64."""
    clouds = int(batch.max()) + 1
    if lengths.shape != (clouds,):
        raise ValueError(f"expected one scale for each of {counted(clouds, 'cloud')}, got shape {tuple(lengths.shape)}")
    right = torch.isfinite(lengths) & (lengths > 0)
    if not bool(right.all()):
        raise ValueError(f"expected a finite scale above 0 for each cloud, got {lengths[~right][0].item()}")
    return centred(pos, batch) / lengths.double().index_select(0, batch).unsqueeze(-1)


def centred(pos: Tensor, batch: Tensor) -> Tensor:
    """Positions (N, 3) relative to their cloud's mean, float64."""
    exact, clouds = pos.double(), int(batch.max()) + 1
    count = torch.bincount(batch, minlength=clouds).clamp_min(1).unsqueeze(-1)
    mean = exact.new_zeros(clouds, pos.shape[-1]).index_add(0, batch, exact) / count
    return exact - mean.index_select(0, batch)


def usable_points(points: NDArray) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The valid points of an array (N, 3): all but those of ``left_out``.

    Returns:
        These points (U, 3) in float64, centred, within float32's range (``within_range``) and in the order of
        ``spatial_order``; and the index of each row in them (N,), -1 for rows that are left out.

    Raises:
        ValueError: no point is finite.
    """
    without = left_out(points)
    if without[NOT_FINITE].all():
        raise ValueError(f"expected at least one finite point, got {counted(len(points), 'point')} and none finite")
    usable = ~np.any([*without.values()], axis=0)
    exact = within_range(points[usable].astype(np.float64))
    exact = within_range(exact - exact.mean(0))
    order = spatial_order(exact)
    place = np.full(len(points), -1, dtype=np.int64)
    place[np.flatnonzero(usable)[order]] = np.arange(len(order))
    return exact[order], place


def spatial_order(points: NDArray) -> NDArray[np.int64]:
    """Rows of points (N, 3) in the order of a kd-tree's leaves.

    Points that are close in space are then close in memory, where they are gathered about a tenth faster than in random
    order. Clouds of at most CACHED points keep their order.
    """
    if len(points) <= CACHED:
        return np.arange(len(points))
    return np.asarray(cKDTree(points).indices, dtype=np.int64)


@dataclass(frozen=True)
class MergedCloud:
    """The distinct points of a whole cloud, and its scale."""

    pos: Tensor  # (U, 3) float64
    index: Tensor  # (N,) the distinct point of each row
    scale: float


def merged_cloud(pos: NDArray) -> MergedCloud:
    """Equal points (N, 3) merged."""
    exact, batch = one_cloud(pos)
    distinct = distinct_points(exact, batch)
    points = exact[distinct.first]
    if len(points) <= SAMPLED:
        return MergedCloud(points, distinct.index, float(cloud_scale(points)))
    rows = torch.from_numpy(thinned_rows(points.numpy(), SAMPLED))
    return MergedCloud(points, distinct.index, sampled_scale(points, rows))
