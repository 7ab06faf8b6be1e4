"""Jets: height fields of order two over given planes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from tensorframes.reps import full_precision

RIDGE = 1e-5  # of the normal equations, in units of the neighbourhood's size


@full_precision
def jet(edge: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
    r"""Normals of height fields of order two over given planes (a jet, as Cazals and Pouget 2005).

    The height field :math:`h = b_0 + b_1 u + b_2 v + b_3 u^2 + \sqrt 2 b_4 uv + b_5 v^2` is fitted by least squares
    with weights :math:`1 - |r|^2 / r_{\max}^2 + 10^{-3}` and a ridge. With these monomials the ridge does not depend on
    the axes u, v in the plane. The normal is that of the field at u = v = 0, :math:`n - b_1 u - b_2 v`, normalised.
    Edges of length zero, from a point that is repeated because there are too few, have no weight.

    Args:
        edge: (M, K, 3) from each point to its neighbours.
        normal: (M, 3) unit normals n of the planes.

    Returns:
        Unit normals (M, 3), and the weighted root mean square height (M,) of the neighbours above the fields.
    """
    length = edge.square().sum(-1)
    farthest = length.amax(-1, keepdim=True)
    farthest = torch.where(farthest > 0, farthest, torch.ones_like(farthest))
    weight = ((1 - length / farthest).clamp_min(0) + 1e-3) * (length > 0)
    least = one_hot(normal.abs().argmin(-1), 3).to(normal.dtype)
    u = normalize(torch.linalg.cross(normal, least), dim=-1)
    axes = torch.stack([u, torch.linalg.cross(normal, u), normal], dim=-1)
    x, y, h = (edge @ axes / farthest.sqrt().unsqueeze(-1)).unbind(-1)
    terms = torch.stack([torch.ones_like(x), x, y, x * x, 2**0.5 * x * y, y * y], dim=-1)
    weighted = (terms * weight.unsqueeze(-1)).transpose(1, 2)
    total = weight.sum(-1).clamp_min(1e-3)[:, None, None]
    matrix = weighted @ terms / total + RIDGE * torch.eye(6, dtype=edge.dtype, device=edge.device)
    jet_coefficients = torch.cholesky_solve(weighted @ h.unsqueeze(-1) / total, torch.linalg.cholesky_ex(matrix).L)
    off = (h - (terms @ jet_coefficients).squeeze(-1)).square() * weight
    bent = normal - (axes[..., :2] @ jet_coefficients[:, 1:3]).squeeze(-1)
    rough = (off.sum(-1) / total.flatten()).sqrt() * farthest.squeeze(-1).sqrt()
    return normalize(bent, dim=-1), rough
