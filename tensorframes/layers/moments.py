"""What a point knows of its neighbourhood before any message: moments of order 0, 1 and 2, as tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tensorframes.reps import TensorReps


class NeighbourhoodMoments(nn.Module):
    r"""Density, mean and covariance of the k neighbours of a point, in the world's frame.

    .. math:: s = (\log c_i, 1), \quad m_i = \langle r_{ij} \rangle / c_i, \quad
        C_i = \langle r_{ij} r_{ij}^T \rangle / c_i^2,

    with c_i the distance to the farthest neighbour. The density of a point enters here, as an invariant feature.
    """

    reps = TensorReps("2x0 + 1x1 + 1x2")

    def forward(self, pos: Tensor, neighbours: Tensor) -> Tensor:
        """Features (N, 14) of points pos (N, 3) with the neighbour table (N, k)."""
        edge = pos.index_select(0, neighbours.flatten()).view(*neighbours.shape, -1) - pos.unsqueeze(1)
        reach = edge.norm(dim=-1).amax(-1, keepdim=True)  # (N, 1)
        safe = torch.where(reach > 0, reach, torch.ones_like(reach))
        edge = edge / safe.unsqueeze(-1)
        mean = edge.mean(1)
        covariance = edge.transpose(1, 2) @ edge / edge.shape[1]
        return torch.cat([safe.log(), torch.ones_like(safe), mean, covariance.flatten(1)], dim=-1)
