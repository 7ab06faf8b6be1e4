"""Frames of the neighbourhood without learning: its principal axes, its nearest points."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from tensorframes.frames.vector_frames import VectorFrames, axes_of
from tensorframes.frames.vectors import edge_units, sum_rows
from tensorframes.geometry.checks import check_count
from tensorframes.geometry.eigen import eigh


class PCAFrames(VectorFrames):
    r"""``VectorFrames`` of principal axes with signs from the third moment.

    Axis a is the eigenvector of the a-th largest eigenvalue of :math:`C_i = \sum_j \eta_{ij} \hat r \hat r^T`, with the
    sign that makes :math:`t_a = \sum_j \eta_{ij} (e_a \cdot \hat r_{ij})^3` positive (:math:`\eta` and
    :math:`\hat r` as in ``EquivariantVectors``). The axis is undefined where the skewness
    :math:`|t_a| / \lambda_a^{3/2}` is below 0.01 (symmetric), :math:`\lambda_a < 10^{-6}` (flat), or another eigenvalue
    is within :math:`10^{-3}`; ``VectorFrames`` then takes it from a larger neighbourhood. For ``group="so"`` a flat
    neighbourhood needs no third axis, which is a cross product. Equivariance is that of ``VectorFrames``; the frames
    are discontinuous where a sign or the order of axes changes, and elsewhere differentiable, twice.

    Args:
        group: ``"so"`` or ``"o"``.
        d: dimension of space.
    """

    def __init__(self, group: Literal["so", "o"] = "so", d: int = 3) -> None:
        super().__init__(PrincipalVectors(axes_of(group, d)), group, d)


class PrincipalVectors(nn.Module):
    """Principal axes (M, count, d) of neighbourhoods, zero where there is none; see ``PCAFrames``."""

    def __init__(self, count: int, skew: float = 1e-2, flat: float = 1e-6, gap: float = 1e-3) -> None:
        super().__init__()
        self.count, self.skew, self.flat, self.gap = count, skew, flat, gap

    def forward(self, pos: Tensor, edge_index: Tensor, receivers: Tensor | None = None) -> Tensor:
        """Candidates of the receivers (M, d), by default pos (N, d)."""
        target = pos if receivers is None else receivers
        index = edge_index[1]
        unit, eta, _ = edge_units(pos, edge_index, target)
        outer = eta.view(-1, 1, 1) * unit.unsqueeze(-1) * unit.unsqueeze(-2)
        covariance = sum_rows(outer, index, len(target))
        values, vectors = eigh(covariance.detach())
        values, axes = values.flip(-1), vectors.flip(-1).transpose(-1, -2)  # descending; a row is an axis
        if covariance.requires_grad:
            axes = with_derivatives(axes, values, covariance, self.gap)
        along = (axes.detach().index_select(0, index) @ unit.detach().unsqueeze(-1)).squeeze(-1)  # (E, d)
        third = sum_rows(eta.detach().unsqueeze(-1) * along**3, index, len(target))
        apart = (values.unsqueeze(-1) - values.unsqueeze(-2)).abs()
        apart = apart + torch.eye(values.shape[-1], dtype=pos.dtype, device=pos.device)
        skewed = third.abs() > self.skew * values.clamp_min(0) ** 1.5
        clear = skewed & (values > self.flat) & (apart.amin(-1) > self.gap)
        sign = torch.where(clear, third.sign(), torch.zeros_like(third))
        return (sign.unsqueeze(-1) * axes)[:, : self.count]


def with_derivatives(axes: Tensor, values: Tensor, matrices: Tensor, gap: float) -> Tensor:
    r"""Eigenvectors (M, d, d), in rows, with their first and second derivatives by the symmetric matrices (M, d, d).

    .. math:: e_a \leftarrow e_a + \sum_{b \ne a} v_b\, \frac{v_b^T (C - e_a^T C e_a)\, e_a}{\lambda_a - \lambda_b},

    with constant v and :math:`\lambda`, the given eigenvectors and eigenvalues (M, d), leaves e = v as it is. Each such
    step makes one more order of derivatives exact. Terms of eigenvalues closer than ``gap`` are left out: they would
    be infinite, and such an axis is undefined.
    """
    apart = values.unsqueeze(-1) - values.unsqueeze(-2)  # of axis a (rows) and b
    inverse = torch.where(apart.abs() > gap, 1 / apart, torch.zeros_like(apart))
    moving = axes
    for _ in range(2):
        turned = moving @ matrices
        residual = turned - (turned * moving).sum(-1, keepdim=True) * moving
        moving = moving + ((residual @ axes.transpose(-1, -2)) * inverse) @ axes
        moving = moving / moving.norm(dim=-1, keepdim=True)
    return moving


class NearestNeighbourFrames(VectorFrames):
    r"""``VectorFrames`` of the directions to the nearest neighbours, in order of distance.

    The first axis points to the nearest neighbour, the second lies in the plane of the two nearest that are not on a
    line, and so on. Neighbours at equal distances (to a relative :math:`10^{-5}`) count as one, by the sum of their
    directions, so that the order of the points does not matter. Equivariance is that of ``VectorFrames``; flat
    neighbourhoods have such frames for ``group="so"``. They are the frames most sensitive to noise.

    Args:
        group: ``"so"`` or ``"o"``.
        d: dimension of space.
        candidates: how many distances are tried.
    """

    def __init__(self, group: Literal["so", "o"] = "so", d: int = 3, candidates: int = 8) -> None:
        super().__init__(NearestVectors(candidates), group, d)


class NearestVectors(nn.Module):
    """Directions (M, count, d) to the nearest neighbours, zero where there are fewer (``NearestNeighbourFrames``)."""

    def __init__(self, count: int, tolerance: float = 1e-5) -> None:
        super().__init__()
        check_count(count, "candidates")
        self.count, self.tolerance = count, tolerance

    def forward(self, pos: Tensor, edge_index: Tensor, receivers: Tensor | None = None) -> Tensor:
        """Candidates of the receivers (M, d), by default pos (N, d)."""
        target = pos if receivers is None else receivers
        unit, _, length = edge_units(pos, edge_index, target)
        some = (length > 0).nonzero().squeeze(-1)
        unit, length, index = unit[some], length[some], edge_index[1][some]
        order = length.argsort(stable=True)
        order = order[index[order].argsort(stable=True)]  # by receiver, then by distance
        unit, length, index = unit[order], length[order], index[order]
        begins = torch.ones_like(index, dtype=torch.bool)
        begins[1:] = (index[1:] != index[:-1]) | (length[1:] > (1 + self.tolerance) * length[:-1])
        group = begins.cumsum(0) - 1  # of one receiver and one distance
        owner = index[begins]
        directions = sum_rows(unit, group, len(owner))
        first = torch.searchsorted(owner, torch.arange(len(target), device=pos.device))
        rank = torch.arange(len(owner), device=pos.device) - first.index_select(0, owner)
        near = (rank < self.count).nonzero().squeeze(-1)
        out = pos.new_zeros(len(target), self.count, pos.shape[-1])
        out[owner[near], rank[near]] = directions[near]
        return out
