"""The length by which a cloud is measured, and distances that copies of a point cannot make zero."""

import torch
from torch import Tensor

from tensorframes.geometry.checks import check_batch, check_count, check_points, clouds_in
from tensorframes.geometry.distances import distinct_points, squared_distance
from tensorframes.geometry.neighbours import knn


def _nearest_of_distinct(points: Tensor, k: int, batch: Tensor) -> Tensor:
    rows = knn(points, k + 1, batch=batch)
    square = squared_distance(points[:, None], points[rows])
    # A cloud with too few points repeats its first neighbour, the point itself: repeat the farthest one instead.
    return square.cummax(dim=1).values[:, 1:].sqrt()


@torch.no_grad()
def distinct_distances(pos: Tensor, k: int, batch: Tensor | None = None) -> Tensor:
    """Distances from every point to its k nearest distinct others, ascending, (N, k) float64.

    Copies of a point, and copies of its neighbours, count once. Where a cloud has fewer, the last distance is repeated;
    zero where all points are equal.
    """
    check_count(k)
    check_points(pos)
    batch = check_batch(batch, pos)
    groups = distinct_points(pos, batch)
    return _nearest_of_distinct(pos[groups.first].double(), k, batch[groups.first])[groups.index]


@torch.no_grad()
def cloud_scale(pos: Tensor, batch: Tensor | None = None, k: int = 8) -> Tensor:
    """One strictly positive length for each cloud, (B,) in the type of pos (N, d).

    The median over the cloud's distinct points of the distance to the k-th distinct neighbour; the farthest one where
    there are fewer; 1 where all points are equal, and for an empty cloud.
    """
    check_count(k)
    check_points(pos)
    batch = check_batch(batch, pos)
    groups = distinct_points(pos, batch)
    distance = _nearest_of_distinct(pos[groups.first].double(), k, batch[groups.first])[:, -1]
    clouds = batch[groups.first]
    scale = torch.ones(clouds_in(batch), dtype=torch.float64, device=pos.device)
    ordered = distance[torch.sort(distance, stable=True).indices]
    by_cloud = torch.sort(clouds[torch.sort(distance, stable=True).indices], stable=True).indices
    count = torch.bincount(clouds, minlength=len(scale))
    some = count > 0
    start = count.cumsum(0) - count
    low = ordered[by_cloud][start[some] + (count[some] - 1) // 2]
    high = ordered[by_cloud][start[some] + count[some] // 2]
    scale[some] = (low + high) / 2
    smallest = torch.finfo(pos.dtype).tiny
    return torch.where(scale > smallest, scale, 1.0).to(pos.dtype)
