"""Moments of order 0, 1 and 2 of each point's neighbourhood, as tensors: the features that a network starts from."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tensorframes.geometry.edges import edge_lengths
from tensorframes.reps import TensorReps, full_precision


class NeighbourhoodMoments(nn.Module):
    r"""Density, mean, covariance and plane of the k neighbours of a point, in the world's frame.

    .. math:: s = (\log c_i, 1), \quad m_i = \langle r_{ij} \rangle / c_i, \quad
        C_i = \langle r_{ij} r_{ij}^T \rangle / c_i^2 - m_i m_i^T, \quad
        P_i = \operatorname{adj} C_i / \operatorname{tr} \operatorname{adj} C_i,

    with c_i the distance to the farthest neighbour. The density of a point enters here, as an invariant feature. P is
    :math:`n n^T` where the neighbours lie in a plane with normal n, so that a normal can be read off linearly; zero
    where they lie on a line.
    """

    reps = TensorReps("2x0 + 1x1 + 2x2")

    @full_precision
    def forward(self, pos: Tensor, neighbours: Tensor) -> Tensor:
        """Features (N, 23) of points pos (N, 3) with the neighbour table (N, k)."""
        edge = pos.index_select(0, neighbours.flatten()).view(*neighbours.shape, -1) - pos.unsqueeze(1)
        reach = edge_lengths(edge).amax(-1, keepdim=True)  # (N, 1)
        safe = torch.where(reach > 0, reach, torch.ones_like(reach))
        edge = edge / safe.unsqueeze(-1)
        mean = edge.mean(1)
        edge = edge - mean.unsqueeze(1)
        covariance = edge.transpose(1, 2) @ edge / edge.shape[1]
        plane = normalised_adjugate(covariance)
        return torch.cat([safe.log(), torch.ones_like(safe), mean, covariance.flatten(1), plane.flatten(1)], dim=-1)


def normalised_adjugate(matrices: Tensor, rank: float = 1e-6) -> Tensor:
    """adj C / tr adj C of symmetric matrices (N, 3, 3); zero where they are of rank 1, to within ``rank``."""
    a, b, c = matrices.unbind(-1)
    cross = torch.linalg.cross
    adjugate = torch.stack([cross(b, c), cross(c, a), cross(a, b)], dim=-1)
    trace = matrices.diagonal(dim1=-2, dim2=-1).sum(-1)
    size = adjugate.diagonal(dim1=-2, dim2=-1).sum(-1)
    usable = size > rank * trace.square()
    return torch.where(usable, 1 / torch.where(usable, size, 1), 0).view(-1, 1, 1) * adjugate


def sharpened(planes: Tensor) -> Tensor:
    """P^8 / tr P^8 of planes P (..., 3, 3): closer to n n^T, since the smaller eigenvalues vanish faster."""
    for _ in range(3):
        planes = planes @ planes
        trace = planes.diagonal(dim1=-2, dim2=-1).sum(-1)
        planes = planes / torch.where(trace > 0, trace, torch.ones_like(trace))[..., None, None]
    return planes
