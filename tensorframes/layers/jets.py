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
    x, y, z = edge.movedim(-1, 0).contiguous()  # one axis after the other in memory: far faster than side by side
    length = x * x + y * y + z * z
    farthest = length.amax(-1, keepdim=True)
    farthest = torch.where(farthest > 0, farthest, torch.ones_like(farthest))
    weight = ((1 - length / farthest).clamp_min(0) + 1e-3) * (length > 0)
    smallest_axis = one_hot(normal.abs().argmin(-1), 3).to(normal.dtype)
    u = normalize(torch.linalg.cross(normal, smallest_axis), dim=-1)
    v, radius = torch.linalg.cross(normal, u), farthest.sqrt()

    def component(axis: Tensor) -> Tensor:
        a, b, c = (axis / radius).unsqueeze(-1).unbind(1)
        return x * a + y * b + z * c

    s, t, h = component(u), component(v), component(normal)
    terms = torch.stack([torch.ones_like(s), s, t, s * s, 2**0.5 * s * t, t * t], dim=1)  # (M, 6, K)
    weighted = terms * weight.unsqueeze(1)
    total = weight.sum(-1).clamp_min(1e-3)[:, None, None]
    products = weighted @ torch.cat([terms, h.unsqueeze(1)], dim=1).transpose(1, 2) / total  # with terms, and heights
    matrix = products[..., :6] + RIDGE * torch.eye(6, dtype=edge.dtype, device=edge.device)
    jet_coefficients = torch.cholesky_solve(products[..., 6:], torch.linalg.cholesky_ex(matrix).L)
    squared_residual = (h - (terms * jet_coefficients).sum(1)).square() * weight
    field_normal = normal - jet_coefficients[:, 1] * u - jet_coefficients[:, 2] * v
    residual = (squared_residual.sum(-1) / total.flatten()).sqrt() * radius.squeeze(-1)
    return normalize(field_normal, dim=-1), residual
