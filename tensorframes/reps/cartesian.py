"""Irreducible Cartesian tensors: symmetric and traceless, kept with all 3^l entries, and their products."""

from __future__ import annotations

import torch
from torch import Tensor

from tensorframes.reps.harmonics import cartesian_basis
from tensorframes.reps.precision import full_precision

LETTERS = "abcdefghijklmnopqrstuvw"


@full_precision
def irreducible_part(x: Tensor, degree: int) -> Tensor:
    r"""The symmetric traceless part of tensors of order l: the orthogonal projection on the irreducible subspace.

    Shapes: x (..., 3, ..., 3) with l = ``degree`` last dimensions; returns the same (Zaverkin et al. 2024, arXiv
    2405.14253, eq. 2).
    """
    if degree < 2:
        return x
    lead = x.shape[: x.dim() - degree]
    return (x.reshape(*lead, 3**degree) @ _projector(degree).to(x)).reshape(x.shape)


@full_precision
def irreducible_product(x: Tensor, y: Tensor, a: int, b: int, c: int) -> Tensor:
    r"""The part of degree c of the product of irreducible tensors of degrees a and b (arXiv 2405.14253, section 3).

    Even a + b - c = 2k: k indices of x are contracted with k of y. Odd a + b - c = 2k + 1: in addition one index of
    each goes into the Levi-Civita symbol, so the result is a pseudo-tensor where x and y are tensors. Then the
    irreducible part is taken. Bilinear and equivariant; up to a factor the only such map.

    Args:
        x: (..., 3, ..., 3) with a last dimensions. y: the same with b. Leading dimensions are broadcast.
        a, b, c: degrees, c from ``|a - b|`` to a + b.

    Raises:
        ValueError: c is not in that range.
    """
    if not abs(a - b) <= c <= a + b:
        raise ValueError(f"expected a degree from {abs(a - b)} to {a + b} for {a} x {b}, got {c}")
    contracted, crossed = divmod(a + b - c, 2)
    shared = LETTERS[:contracted]
    left = LETTERS[contracted : a - crossed]
    right = LETTERS[a : a + b - contracted - crossed]
    if crossed:
        product = torch.einsum(f"...{shared}{left}x,...{shared}{right}y,xyz->...{left}{right}z", x, y, _levi_civita(x))
    else:
        product = torch.einsum(f"...{shared}{left},...{shared}{right}->...{left}{right}", x, y)
    return irreducible_part(product, c)


def _projector(degree: int) -> Tensor:
    """(3^l, 3^l), float64."""
    basis = cartesian_basis(degree)
    return basis @ basis.T


def _levi_civita(like: Tensor) -> Tensor:
    eye = torch.eye(3, dtype=like.dtype, device=like.device)
    return torch.stack([torch.linalg.cross(eye[a].expand(3, 3), eye) for a in range(3)])
