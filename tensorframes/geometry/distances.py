"""Distances as every algorithm of this package computes them, and points that occur more than once."""

from dataclasses import dataclass

import torch
from numpy.typing import NDArray
from torch import Tensor


def squared_distance(x: Tensor, y: Tensor) -> Tensor:
    """sum_a (x_a - y_a)^2 over the last dimension (broadcasting), added axis by axis.

    In float64, never as |x|^2 + |y|^2 - 2 x.y, which cancels. The difference of two float64 coordinates is as exact far
    from the origin as near it; subtracting a centre first could only add rounding, above all where one point lies far
    away. The fixed order of the sum makes CPU and GPU agree to the last bit.
    """
    total = (x[..., 0] - y[..., 0]).square()
    for axis in range(1, x.shape[-1]):
        total = total + (x[..., axis] - y[..., axis]).square()
    return total


def nearest(square: Tensor, rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k smallest of the squared distances (n, c) of candidate rows (n, c): (rows, squares), each (n, min(k, c)).

    Equal distances are ordered by row. A distance of infinity is no candidate: its row becomes -1.
    """
    best = torch.topk(square, min(k + 1, square.shape[1]), dim=1, largest=False)
    chosen, least = rows.gather(1, best.indices)[:, :k], best.values[:, :k]
    # topk orders equal distances as it likes; only lines that have some pay for sorting.
    equal = (best.values[:, 1:] == best.values[:, :-1]) & best.values[:, 1:].isfinite()
    tied = equal.any(1).nonzero().squeeze(1)
    if len(tied):
        by_row = torch.sort(rows[tied], dim=1)
        by_distance = torch.sort(square[tied].gather(1, by_row.indices), dim=1, stable=True)
        chosen[tied] = by_row.values.gather(1, by_distance.indices[:, :k])
        least[tied] = by_distance.values[:, :k]
    return chosen.masked_fill(least.isinf(), -1), least


@dataclass(frozen=True)
class Distinct:
    """The distinct points of a batch of clouds, in the order in which they first occur.

    first: (U,) row at which each occurs first, ascending.
    index: (N,) the distinct point of each row.
    rows: (N,) all rows, grouped by distinct point, ascending within a group.
    start, count: (U,) where in `rows` each group begins, and its length.
    """

    first: Tensor
    index: Tensor
    rows: Tensor
    start: Tensor
    count: Tensor


def distinct_points(pos: Tensor, batch: Tensor) -> Distinct:
    """Merge the rows of pos (N, d) that are equal in every coordinate and in `batch` (N,): O(N log N)."""
    if _surely_distinct(pos, batch):
        every = torch.arange(len(pos), device=pos.device)
        return Distinct(every, every, every, every, torch.ones_like(every))
    order = torch.arange(len(pos), device=pos.device)
    for key in (*pos.unbind(1), batch):
        order = order[torch.sort(key[order], stable=True).indices]
    new = torch.ones(len(pos), dtype=torch.bool, device=pos.device)
    new[1:] = (pos[order[1:]] != pos[order[:-1]]).any(1) | (batch[order[1:]] != batch[order[:-1]])
    # A stable sort leaves each group's rows ascending, so its first entry is its first row.
    first, rank = torch.sort(order[new])
    place = torch.empty_like(rank)
    place[rank] = torch.arange(len(rank), device=pos.device)
    group = place[new.cumsum(0) - 1]
    index = torch.empty_like(order)
    index[order] = group
    rows = order[torch.sort(group, stable=True).indices]
    count = torch.bincount(group, minlength=len(first))
    return Distinct(first, index, rows, count.cumsum(0) - count, count)


def one_cloud(pos: NDArray) -> tuple[Tensor, Tensor]:
    """Positions (N, 3) as a tensor on the CPU, and the number of their cloud (N,), 0, whatever torch's device is."""
    points = torch.from_numpy(pos)
    return points, torch.zeros(len(points), dtype=torch.long, device=points.device)


def _surely_distinct(pos: Tensor, batch: Tensor) -> bool:
    """Whether a number made of each row differs for all: equal rows have equal ones, others hardly ever."""
    factors = torch.arange(2, pos.shape[1] + 2, device=pos.device, dtype=torch.float64).sqrt()
    mixed = batch * 0.7
    for axis, factor in zip(pos.double().unbind(1), factors, strict=True):
        mixed = mixed + axis * factor
    ascending = torch.sort(mixed).values
    return bool((ascending[1:] != ascending[:-1]).all())
