"""Eigenvectors of symmetric matrices, with a gradient that stays finite where eigenvalues meet."""

from __future__ import annotations

import torch
from torch import Tensor

from tensorframes.geometry.eigen import eigh, principal_axis
from tensorframes.reps import full_precision


@full_precision
def smallest_eigenvector(matrices: Tensor, gap: float = 1e-3) -> tuple[Tensor, Tensor]:
    r"""The unit eigenvector of the smallest eigenvalue.

    The eigenvectors are those of ``geometry.eigh``. The gradient is that of first-order perturbation theory,

    .. math:: \mathrm{d}n = \sum_{k \ne 0} u_k \frac{u_k^T\, \mathrm{d}C\, n}{\lambda_0 - \lambda_k},

    with each difference :math:`\lambda_k - \lambda_0` at least ``gap`` times the trace, so that the gradient is bounded
    where eigenvalues meet.

    Args:
        matrices: (N, d, d), symmetric and positive semi-definite.
        gap: smallest gap, relative to the trace.

    Returns:
        Vectors (N, d) of arbitrary sign, and the eigenvalues (N, d), ascending, without gradient.
    """
    fixed = matrices.detach()
    values, vectors = eigh(fixed)
    n = vectors[..., 0]
    if not matrices.requires_grad:
        return n, values
    trace = values.sum(-1, keepdim=True)
    floor = gap * torch.where(trace > 0, trace, torch.ones_like(trace))
    difference = values[..., :1] - values  # at most 0
    size = torch.maximum(difference.abs(), floor)
    inverse = -1 / size
    inverse[..., 0] = 0
    change = ((matrices - fixed) @ n.unsqueeze(-1)).squeeze(-1)  # zero in value, dC n in gradient
    coefficients = (vectors.transpose(-1, -2) @ change.unsqueeze(-1)).squeeze(-1) * inverse
    return n + (vectors @ coefficients.unsqueeze(-1)).squeeze(-1), values


@full_precision
def largest_eigenvector(matrices: Tensor) -> Tensor:
    """The unit eigenvector (N, 3), of arbitrary sign, of the largest eigenvalue of symmetric matrices (N, 3, 3).

    With the gradient of ``smallest_eigenvector``; where no gradient is asked for, in closed form, which is faster.
    Where the two largest eigenvalues are equal that may be any unit vector, and zero where all three are.
    """
    if not matrices.requires_grad:
        return principal_axis(matrices)
    size = matrices.detach().square().sum((-1, -2)).sqrt().view(-1, 1, 1)  # at least the largest eigenvalue
    axis, _ = smallest_eigenvector(size * torch.eye(3, dtype=matrices.dtype, device=matrices.device) - matrices)
    return axis
