"""Neighbours by brute force, in chunks: for small batches, for many dimensions, and as the reference."""

import torch
from torch import Tensor

from tensorframes.geometry.distances import nearest, squared_distance
from tensorframes.geometry.ragged import CHUNK, chunks

MANY = 12  # dimensions from which on a product of matrices finds the candidates
SPARE = 8  # candidates beyond k
TOGETHER = 1 << 25  # distances, of points of one cloud or not, up to which all clouds are searched at once


def _one_cloud(points: Tensor, query: Tensor, k: int) -> Tensor:
    rows = torch.arange(len(points), device=points.device)
    neighbours = []
    for chunk in chunks(query, max(1, CHUNK // len(points))):
        if points.shape[1] > MANY and len(points) > k + SPARE:
            neighbours.append(_by_product(points, chunk, k))
        else:
            square = squared_distance(chunk[:, None], points)
            neighbours.append(nearest(square, rows.expand_as(square), k)[0])
    return torch.cat(neighbours)


def _by_product(points: Tensor, query: Tensor, k: int) -> Tensor:
    """The same result in many dimensions: candidates by |x|^2 + |y|^2 - 2 x.y, then their distances.

    The product is off by rounding, at most ``error``. Where a point that is no candidate could be as near as the k-th,
    all distances are computed.
    """
    centre = points.mean(0)
    p, q = points - centre, query - centre
    length, own = p.square().sum(1), q.square().sum(1)
    rough = torch.addmm(length, q, p.T, alpha=-2)  # without |q|^2, the same for all candidates
    best = torch.topk(rough, k + SPARE, dim=1, largest=False)
    found, least = nearest(squared_distance(query[:, None], points[best.indices]), best.indices, k)
    error = 4 * (points.shape[1] + 8) * torch.finfo(points.dtype).eps * (own + length.amax())
    unsure = (best.values[:, -1] + own - error <= least[:, -1]).nonzero()[:, 0]
    if len(unsure):
        square = squared_distance(query[unsure, None], points)
        rows = torch.arange(len(points), device=points.device)
        found[unsure] = nearest(square, rows.expand_as(square), k)[0]
    return found


def brute_knn(points: Tensor, batch: Tensor, query: Tensor, query_batch: Tensor, k: int) -> Tensor:
    """(M, k) rows of `points`, nearest first and equal distances by row, -1 where a cloud has fewer than k."""
    found = torch.full((len(query), k), -1, dtype=torch.long, device=query.device)
    if points.shape[1] <= MANY and len(points) * len(query) <= TOGETHER:
        square = squared_distance(query[:, None], points).masked_fill_(query_batch[:, None] != batch, torch.inf)
        neighbours = nearest(square, torch.arange(len(points), device=points.device).expand_as(square), k)[0]
        found[:, : neighbours.shape[1]] = neighbours
        return found
    for cloud in torch.unique_consecutive(query_batch).tolist():
        first, last = torch.searchsorted(batch, batch.new_tensor([cloud, cloud + 1])).tolist()
        asked = slice(*torch.searchsorted(query_batch, batch.new_tensor([cloud, cloud + 1])).tolist())
        neighbours = _one_cloud(points[first:last], query[asked], k) + first
        found[asked, : neighbours.shape[1]] = neighbours
    return found


def brute_pairs(points: Tensor, batch: Tensor, radius: Tensor) -> Tensor:
    """(2, E) all pairs i != j of one cloud with |x_i - x_j| <= radius of that cloud (B,), as (j, i), by i, then j."""
    limit = radius.square()
    edges = [batch.new_empty((2, 0))]
    for rows in chunks(torch.arange(len(points), device=points.device), max(1, CHUNK // max(1, len(points)))):
        near = squared_distance(points[rows, None], points) <= limit[batch[rows]][:, None]
        receiver, sender = (near & (batch[rows, None] == batch)).nonzero(as_tuple=True)
        keep = rows[receiver] != sender
        edges.append(torch.stack([sender[keep], rows[receiver[keep]]]))
    return torch.cat(edges, dim=1)
