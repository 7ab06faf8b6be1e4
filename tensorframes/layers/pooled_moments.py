"""Pooled moments: count, mean and covariance of the points of level 0 that each coarse point represents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tensorframes.geometry import Hierarchy, knn
from tensorframes.reps import full_precision


@dataclass(frozen=True)
class PooledMoments:
    """Moments of the points of level 0 that each of the N_l points of a level represents.

    Each point of level 0 is distributed over several coarse points, in shares that sum to 1.

    Attributes:
        count: (N_l,) the sum of these shares, a real number.
        mean: (N_l, 3).
        covariance: (N_l, 3, 3); None at level 0, where it is zero.
    """

    count: Tensor
    mean: Tensor
    covariance: Tensor | None

    def to(self, *args: Any, **kwargs: Any) -> PooledMoments:
        """The same on another device or in another precision; arguments as in ``torch.Tensor.to``."""
        covariance = None if self.covariance is None else self.covariance.to(*args, **kwargs)
        return PooledMoments(self.count.to(*args, **kwargs), self.mean.to(*args, **kwargs), covariance)


@full_precision
def inverse_square_shares(hierarchy: Hierarchy, finer: int, epsilon: float = 1e-3) -> Tensor:
    """(N_l, 3) shares of the points of level l = ``finer`` in the coarse points above them, summing to 1: inverse
    squared distances, as in ``FrameInterpolation``."""
    table, coarse, fine = hierarchy.above[finer], hierarchy.levels[finer + 1].pos, hierarchy.levels[finer].pos
    square = (coarse.index_select(0, table.flatten()).view(*table.shape, -1) - fine.unsqueeze(1)).square().sum(-1)
    weight = 1 / (square + epsilon)
    return weight / weight.sum(-1, keepdim=True)


def point_moments(hierarchy: Hierarchy) -> PooledMoments:
    """The moments of level 0: every point represents itself."""
    pos = hierarchy.levels[0].pos
    return PooledMoments(torch.ones_like(pos[:, 0]), pos, None)


def pooled_moments(hierarchy: Hierarchy) -> tuple[PooledMoments, ...]:
    """The moments of levels 1, 2, ...: the moments of every point are added to the coarse points above it, by its
    shares.

    Counts, means and covariances of unions are exact. So the covariance over many coarse points is that of all points
    of level 0 that they represent, and averages noise that exceeds the distance of coarse points.
    """
    moments = [point_moments(hierarchy)]
    for depth in range(len(hierarchy.above)):
        moments.append(_pooled(hierarchy, depth, moments[-1]))
    return tuple(moments[1:])


@full_precision
def _pooled(hierarchy: Hierarchy, depth: int, finer: PooledMoments) -> PooledMoments:
    """The moments of level ``depth`` + 1 from those of level ``depth``."""
    table, coarse = hierarchy.above[depth].flatten(), hierarchy.levels[depth + 1].pos
    share = inverse_square_shares(hierarchy, depth)
    weight = (share * finer.count.unsqueeze(-1)).flatten()
    sender = torch.arange(len(share), device=table.device).repeat_interleave(share.shape[1])
    count = coarse.new_zeros(len(coarse)).index_add(0, table, weight)
    normalised = weight / torch.where(count > 0, count, torch.ones_like(count)).index_select(0, table)
    edge = finer.mean.index_select(0, sender) - coarse.index_select(0, table)
    shift = torch.zeros_like(coarse).index_add(0, table, normalised.unsqueeze(-1) * edge)
    deviation = edge - shift.index_select(0, table)
    square = deviation.unsqueeze(-1) * deviation.unsqueeze(-2)
    if finer.covariance is not None:
        square = finer.covariance.index_select(0, sender) + square
    gathered = (normalised.view(-1, 1, 1) * square).flatten(1)
    covariance = coarse.new_zeros(len(coarse), gathered.shape[1]).index_add(0, table, gathered)
    return PooledMoments(count, coarse + shift, covariance.view(len(coarse), *square.shape[1:]))


@full_precision
def covariances_around(pos: Tensor, table: Tensor, moments: PooledMoments, sizes: Sequence[int]) -> list[Tensor]:
    r"""Covariances (M, 3, 3) of the points of level 0 that the first ``size`` coarse points in each row of a table
    (M, K), nearest first, represent; one for each of the sizes, at most K:

    .. math:: C = \sum_j w_j (C_j + (m_j - \bar m)(m_j - \bar m)^T), \quad \bar m = \sum_j w_j m_j, \quad
        w_j \propto n_j \left(1 - |m_j - x|^2 / r^2\right)^2,

    with r the distance from x (M, 3) to the farthest of them. A coarse point that is repeated counts once.
    """
    flat = table.flatten()
    edge = moments.mean.index_select(0, flat).view(*table.shape, -1) - pos.unsqueeze(1)
    square = edge.square().sum(-1)
    repeated = table == table[:, :1]
    repeated[:, 0] = False
    counted, inner = None, None
    if moments.covariance is not None:
        counted = moments.count.index_select(0, flat).view(table.shape)
        inner = moments.covariance.flatten(1).index_select(0, flat).view(*table.shape, -1)
    covariances = []
    for size in sizes:
        farthest = square[:, :size].amax(-1, keepdim=True)
        fade = (1 - square[:, :size] / torch.where(farthest > 0, farthest, torch.ones_like(farthest))).square_()
        fade = torch.where(fade.sum(-1, keepdim=True) > 0, fade, torch.ones_like(fade))
        weight = (fade if counted is None else fade * counted[:, :size]).masked_fill_(repeated[:, :size], 0)
        total = weight.sum(-1, keepdim=True)
        weight = (weight / torch.where(total > 0, total, torch.ones_like(total))).unsqueeze(1)
        mean, near = weight @ edge[:, :size], edge[:, :size]
        covariance = (weight.transpose(1, 2) * near).transpose(1, 2) @ near - mean.transpose(1, 2) * mean
        if inner is not None:
            covariance = covariance + (weight @ inner[:, :size]).view_as(covariance)
        covariances.append(covariance)
    return covariances


def nearest_moments(hierarchy: Hierarchy, moments: PooledMoments, level: int, depth: int, count: int) -> Tensor:
    """(M, count) points of ``level`` whose pooled means are nearest to each of the M points of level ``depth``."""
    centres = hierarchy.levels[depth]
    if level == depth == 0 and hierarchy.knn_index.shape[1] >= count:
        return hierarchy.knn_index[:, :count]
    batch = hierarchy.levels[level].batch
    return knn(moments.mean, count, query=centres.pos, batch=batch, query_batch=centres.batch)
