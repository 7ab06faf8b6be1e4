"""Gram-Schmidt orthonormalisation with spare candidates for degenerate vectors."""

from __future__ import annotations

import torch
from torch import Tensor

TOLERANCE = 1e-3  # amplifies rounding by 1 / TOLERANCE at most: 1e-4 in float32


def complete_frames(candidates: Tensor, axes: int, tolerance: float = TOLERANCE) -> tuple[Tensor, Tensor]:
    r"""Gram-Schmidt over candidates in order of preference.

    Axis a is the first candidate c whose part orthogonal to the axes before it,
    :math:`c_\perp = c - \sum_{b<a} (e_b \cdot c)\, e_b`, is longer than ``tolerance``; :math:`e_a = c_\perp/|c_\perp|`.

    Args:
        candidates: (N, C, d), each scaled by its neighbourhood so that a length of 1 is large and ``tolerance`` small.
        axes: how many axes to find.
        tolerance: shortest orthogonal part that may carry an axis.

    Returns:
        The axes (N, axes, d), and which candidate each came from (N, axes); where none was left C, and a zero axis.
    """
    frame: list[Tensor] = []
    picks: list[Tensor] = []
    rest = candidates
    for _ in range(axes):
        length = rest.detach().norm(dim=-1)
        usable = length > tolerance
        pick = torch.where(usable.any(-1), usable.to(torch.uint8).argmax(-1), candidates.shape[1])
        rows = pick.clamp_max(candidates.shape[1] - 1).view(-1, 1, 1).expand(-1, 1, candidates.shape[-1])
        chosen = rest.gather(1, rows).squeeze(1)
        chosen = torch.where((pick < candidates.shape[1]).unsqueeze(-1), chosen, torch.zeros_like(chosen))
        axis = _unit(chosen)
        for before in frame:  # once more: what rounding left of the earlier axes
            axis = axis - (axis * before).sum(-1, keepdim=True) * before
        axis = _unit(axis)
        frame.append(axis)
        picks.append(pick)
        rest = rest - (rest @ axis.unsqueeze(-1)) * axis.unsqueeze(1)
    return torch.stack(frame, dim=1), torch.stack(picks, dim=1)


def last_axis(axes: Tensor) -> Tensor:
    r"""The unit vector n that makes d - 1 orthonormal rows a rotation: :math:`n_a = \det(e_1, \dots, e_{d-1}, \hat a)`.

    Shapes: axes (N, d - 1, d); returns (N, d). In three dimensions the cross product e_1 x e_2.
    """
    d = axes.shape[-1]
    if d == 3:
        return torch.linalg.cross(axes[:, 0], axes[:, 1])
    columns = torch.arange(d, device=axes.device)
    minors = [
        torch.linalg.det(axes[:, :, columns[columns != a]]) * (-1) ** (d - 1 + a)  # Laplace along the last row
        for a in range(d)
    ]
    return torch.stack(minors, dim=-1)


def _unit(v: Tensor) -> Tensor:
    square = (v * v).sum(-1, keepdim=True)
    return v * torch.where(square > 0, square, torch.ones_like(square)).rsqrt()
