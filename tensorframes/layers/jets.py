"""Jets: height fields of order two over given planes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from tensorframes.reps import full_precision

RIDGE = 1e-5  # of the normal equations, in units of the neighbourhood's size


@full_precision
def jet(edge: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
    r"""Unit normals (M, 3) at the points of height fields of order two over their planes (M, 3), fitted to edges
    (M, K, 3), and the root mean square height (M,) above these fields.

    :math:`h = b_0 + b_1 u + b_2 v + b_3 u^2 + \sqrt 2 b_4 uv + b_5 v^2` by least squares with weights
    :math:`1 - |r|^2 / r_{\max}^2` and a ridge, which in these terms does not depend on the axes u, v of the plane; the
    normal is that of the field at the foot of the point, :math:`n - b_1 u - b_2 v`. Edges of length zero, a point
    repeated for want of others, do not count.
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
    weighed = (terms * weight.unsqueeze(-1)).transpose(1, 2)
    total = weight.sum(-1).clamp_min(1e-3)[:, None, None]
    matrix = weighed @ terms / total + RIDGE * torch.eye(6, dtype=edge.dtype, device=edge.device)
    jet_coefficients = torch.cholesky_solve(weighed @ h.unsqueeze(-1) / total, torch.linalg.cholesky_ex(matrix).L)
    off = (h - (terms @ jet_coefficients).squeeze(-1)).square() * weight
    bent = normal - (axes[..., :2] @ jet_coefficients[:, 1:3]).squeeze(-1)
    rough = (off.sum(-1) / total.flatten()).sqrt() * farthest.squeeze(-1).sqrt()
    return normalize(bent, dim=-1), rough
