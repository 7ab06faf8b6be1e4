"""Where the fitted neighbours lie on a line: a plane from farther away, or the word that there is none."""

from __future__ import annotations

import torch
from torch import Tensor

from tensorframes.geometry import Hierarchy, knn
from tensorframes.layers import smallest_eigenvector

RANK = 1e-5  # variance across a line over variance along it, above what float32 leaves of an exact line (about 1e-6)
WIDER = 4


def fall_back(normal: Tensor, failed: Tensor, rows: Tensor, hierarchy: Hierarchy, neighbours: int) -> Tensor:
    """Normals (M, 3) with the failed ones (M,) replaced.

    By the plane of four times the neighbours; where that is a line, by the plane of the whole cloud; where that is a
    line or a point, by zeros, "no normal". All three are O(3)-equivariant up to sign and independent of the order.
    """
    if not bool(failed.any()):
        return normal
    level = hierarchy.levels[0]
    lost = failed.nonzero().squeeze(-1)
    points = rows[lost]
    wide = knn(
        level.pos, WIDER * neighbours, query=level.pos[points], batch=level.batch, query_batch=level.batch[points]
    )
    near, found = planes(level.pos[wide])
    far, known = _cloud_planes(level.pos, level.batch, hierarchy.clouds)
    cloud = level.batch[points]
    far = torch.where(known[cloud].unsqueeze(-1), far[cloud], torch.zeros_like(near))
    return normal.index_copy(0, lost, torch.where(found.unsqueeze(-1), near, far))


def planes(points: Tensor) -> tuple[Tensor, Tensor]:
    """Normals (M, 3) of the planes of points (M, K, 3), and whether they are planes rather than lines."""
    centred = points - points.mean(1, keepdim=True)
    normal, values = smallest_eigenvector(centred.transpose(1, 2) @ centred)
    return normal, values[:, 1] > RANK * values[:, 2]


def _cloud_planes(pos: Tensor, batch: Tensor, clouds: int) -> tuple[Tensor, Tensor]:
    found = [planes(pos[batch == cloud].unsqueeze(0)) for cloud in range(clouds)]
    return torch.cat([normal for normal, _ in found]), torch.cat([known for _, known in found])
