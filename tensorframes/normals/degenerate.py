"""The rule for points whose neighbours lie on a line: the plane of a larger neighbourhood, or no normal."""

from __future__ import annotations

import torch
from torch import Tensor

from tensorframes.geometry import Hierarchy, knn
from tensorframes.layers import Geometry, smallest_eigenvector
from tensorframes.reps import full_precision

RANK = 1e-5  # ratio of middle to largest variance, above float32's rounding on an exact line (about 1e-6)
WIDER = 4  # size of the larger neighbourhood, in numbers of neighbours


def fall_back(normal: Tensor, failed: Tensor, rows: Tensor, hierarchy: Hierarchy, neighbours: int) -> Tensor:
    """Normals (M, 3) with those of failed points replaced.

    The replacement is the normal of the plane of four times the neighbours; where these lie on a line, that of the
    whole cloud (``cloud_normals``); zeros, "no normal", where the cloud is a line. All are O(3)-equivariant up to sign
    and independent of the order of the points.

    Args:
        normal: (M, 3). failed: (M,) bool. rows: (M,) the points, at level 0 of the hierarchy.
        hierarchy: of the clouds. neighbours: number of neighbours of the fit that failed.
    """
    if not bool(failed.any()):
        return normal
    level = hierarchy.levels[0]
    index = failed.nonzero().squeeze(-1)
    points = rows[index]
    wider = knn(
        level.pos, WIDER * neighbours, query=level.pos[points], batch=level.batch, query_batch=level.batch[points]
    )
    of_wider, is_plane = planes(level.pos[wider])
    of_cloud = cloud_normals(level.pos, level.batch, hierarchy.clouds)[level.batch[points]]
    return normal.index_copy(0, index, torch.where(is_plane.unsqueeze(-1), of_wider, of_cloud))


@full_precision
def on_line(geometry: Geometry, rows: Tensor) -> Tensor:
    """(M,) whether the nearest points of rows (M,), at the ends of the geometry's edges, lie on a line."""
    if geometry.edges is None:
        raise ValueError("expected a geometry with edges, got one without")
    edge = geometry.edges.index_select(0, rows)
    edge = edge - edge.mean(1, keepdim=True)
    covariance = edge.transpose(1, 2) @ edge
    squared_trace = covariance.diagonal(dim1=-2, dim2=-1).sum(-1).square()
    adjugate_trace = (squared_trace - covariance.square().sum((-2, -1))) / 2
    return adjugate_trace <= RANK * squared_trace


def cloud_normals(pos: Tensor, batch: Tensor, clouds: int) -> Tensor:
    """(B, 3) normals of the planes of whole clouds, points (N, 3); zeros, "no normal", of a line or a point."""
    each = [planes(pos[batch == cloud].unsqueeze(0)) for cloud in range(clouds)]
    return torch.cat([torch.where(flat.unsqueeze(-1), normal, torch.zeros_like(normal)) for normal, flat in each])


@full_precision
def planes(points: Tensor) -> tuple[Tensor, Tensor]:
    """Normals (M, 3) of the planes of points (M, K, 3), and whether they are planes rather than lines (M,)."""
    centred = points - points.mean(1, keepdim=True)
    normal, values = smallest_eigenvector(centred.transpose(1, 2) @ centred)
    return normal, values[:, 1] > RANK * values[:, 2]
