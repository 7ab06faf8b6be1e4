"""The length scale of a cloud, and distances to distinct points, which copies of a point cannot make zero."""

import torch
from torch import Tensor

from tensorframes.geometry.checks import check_batch, check_count, check_points, clouds_in
from tensorframes.geometry.distances import Distinct, distinct_points, squared_distance
from tensorframes.geometry.neighbours import knn


def _distances(pos: Tensor, k: int, batch: Tensor, groups: Distinct) -> Tensor:
    """(U, k) distances from each distinct point to the k nearest others, the last repeated where none is left."""
    points = pos[groups.first].detach().double()
    return table_distances(points, knn(points, k + 1, batch=batch[groups.first]))


def table_distances(points: Tensor, table: Tensor) -> Tensor:
    """(U, k) distances of distinct points (U, d) along a table (U, k + 1) that begins with the point itself."""
    square = squared_distance(points[:, None], points[table])
    # A cloud with too few points repeats its first neighbour, the point itself, at distance zero.
    return square.cummax(dim=1).values[:, 1:].sqrt()


def _median(values: Tensor, clouds: Tensor, count: int) -> Tensor:
    """(count,) the median of the values (U,) of each cloud, clouds (U,) in any order; NaN for none."""
    order = torch.sort(values).indices
    values = values[order[torch.sort(clouds[order], stable=True).indices]]
    size = torch.bincount(clouds, minlength=count)
    start, some = size.cumsum(0) - size, size > 0
    median = values.new_full((count,), torch.nan)
    low, high = start + (size - 1) // 2, start + size // 2
    median[some] = (values[low[some]] + values[high[some]]) / 2
    return median


@torch.no_grad()
def distinct_distances(pos: Tensor, k: int, batch: Tensor | None = None) -> Tensor:
    """Distances from every point to its k nearest distinct others, ascending, (N, k) float64.

    Copies of the point count not at all, copies of a neighbour count once. Where a cloud has fewer, the last distance
    is repeated; zero where all points are equal. Raises ValueError as `knn` does.
    """
    check_count(k)
    check_points(pos)
    batch = check_batch(batch, pos)
    groups = distinct_points(pos, batch)
    return _distances(pos, k, batch, groups)[groups.index]


@torch.no_grad()
def cloud_scale(pos: Tensor, batch: Tensor | None = None, k: int = 8, table: Tensor | None = None) -> Tensor:
    """One strictly positive length for each cloud, (B,) in the type of pos (N, d), in its unit.

    The median over the cloud's distinct points of the distance to the k-th nearest distinct point (the farthest where
    there are fewer). 1 where all points are equal, and for an empty cloud. Raises ValueError as `knn` does.
    ``table``: (N, K) neighbours of distinct points, K > k, nearest first, itself included; by default computed.
    """
    check_count(k)
    check_points(pos)
    batch = check_batch(batch, pos)
    if table is None:
        groups = distinct_points(pos, batch)
        farthest, cloud = _distances(pos, k, batch, groups)[:, -1], batch[groups.first]
    else:
        farthest, cloud = table_distances(pos.detach().double(), table[:, : k + 1])[:, -1], batch
    scale = _median(farthest, cloud, clouds_in(batch)).to(pos.dtype)
    return torch.where(scale > 0, scale, 1.0)


@torch.no_grad()
def sampled_scale(pos: Tensor, rows: Tensor, k: int = 8) -> float:
    """An estimate of the ``cloud_scale`` of one cloud of distinct points (N, d): the median over rows (M,) alone.

    Its standard deviation is about that of the distances divided by the root of M.
    """
    check_count(k)
    check_points(pos)
    table = knn(pos, k + 1, query=pos[rows])
    square = squared_distance(pos[rows].double()[:, None], pos.double()[table])
    scale = float(square.max(dim=1).values.sqrt().median())
    return scale if scale > 0 else 1.0
