"""Neighbours by brute force, in chunks: for small batches, for many dimensions, and as the reference."""

import torch
from torch import Tensor

from tensorframes.geometry.distances import nearest, squared_distance
from tensorframes.geometry.ragged import CHUNK, chunks


def _one_cloud(points: Tensor, query: Tensor, k: int) -> Tensor:
    rows = torch.arange(len(points), device=points.device)
    neighbours = []
    for chunk in chunks(query, max(1, CHUNK // len(points))):
        square = squared_distance(chunk[:, None], points)
        neighbours.append(nearest(square, rows.expand_as(square), k)[0])
    return torch.cat(neighbours)


def brute_knn(points: Tensor, batch: Tensor, query: Tensor, query_batch: Tensor, k: int) -> Tensor:
    """(M, k) rows of `points`, nearest first and equal distances by row, -1 where a cloud has fewer than k."""
    found = torch.full((len(query), k), -1, dtype=torch.long, device=query.device)
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
