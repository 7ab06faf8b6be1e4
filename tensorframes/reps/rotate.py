"""rho(g) x, the hot kernel: batched matrix products."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from tensorframes.reps.precision import full_precision

MANY = 2  # from MANY d matrices per g on, one product with the Kronecker product g x g is faster


@full_precision
def transform_tensors(blocks: Sequence[tuple[int, int, bool]], x: Tensor, g: Tensor) -> Tensor:
    r"""Apply :math:`\rho(g)` to features, block by block.

    Args:
        blocks: (mul, order, pseudo) of each block of a feature.
        x: features (\*lead, ..., dim).
        g: orthogonal matrices (\*lead, d, d); their leading dimensions are the first ones of x.

    Returns:
        Features of x's shape. Scalars are passed on untouched.

    Each index costs one product of a (rows, d) by a (d, d) matrix. A tensor of order r then takes r d^(r+1)
    multiplications, with the Kronecker product g x ... x g it would take d^(2r). Where one g acts on many matrices
    (order 2), g x g is used all the same: one product of larger matrices takes less time than two of small ones.
    """
    lead = g.shape[:-2]
    if g.dim() < 2 or g.shape[-2] != g.shape[-1] or x.shape[: len(lead)] != lead:
        raise ValueError(f"expected matrices (*lead, d, d) for features (*lead, ..., dim), got {g.shape} and {x.shape}")
    if all(order == 0 and not pseudo for _, order, pseudo in blocks):
        return x
    if x.dtype != g.dtype:
        raise ValueError(f"expected features and frames of one dtype, got {x.dtype} and {g.dtype}")
    d, g_transposed = g.shape[-1], g.transpose(-1, -2)
    sign = determinant(g) if any(pseudo for _, _, pseudo in blocks) else g
    parts = []
    given = x.split([mul * d**order for mul, order, _ in blocks], dim=-1)  # the gradient of slices is far slower
    for part, (_, order, pseudo) in zip(given, blocks, strict=True):
        part = _turn(part, g_transposed, order, len(lead)) if order else part
        parts.append(part * sign.reshape(*lead, *(1,) * (part.dim() - len(lead))) if pseudo else part)
    return torch.cat(parts, dim=-1)


def _turn(part: Tensor, g_transposed: Tensor, order: int, lead: int) -> Tensor:
    """Contract every index of (..., mul, d, ..., d) with g: the last index, then the tensor turned by one index."""
    shape, d = part.shape, g_transposed.shape[-1]
    if torch.compiler.is_compiling() and not torch.compiler.is_exporting():  # what is exported rounds as it does here
        return _fused(part, g_transposed, order, lead)
    inner = d ** (order - 1)
    rows = math.prod(shape[lead:]) // d
    if order == 2 and rows // d >= MANY * d:
        square = g_transposed.unsqueeze(-2).unsqueeze(-4) * g_transposed.unsqueeze(-1).unsqueeze(-3)
        square = square.reshape(*shape[:lead], d * d, d * d)
        return (part.reshape(*shape[:lead], rows // d, d * d) @ square).reshape(shape)
    for _ in range(order):
        part = part.reshape(*shape[:lead], rows, d) @ g_transposed
        if order > 1:  # (rows / inner, inner, d) -> (rows / inner, d, inner): the next index comes last
            part = part.reshape(*shape[:lead], rows // inner, inner, d).transpose(-1, -2)
    return part.reshape(shape)


def _fused(part: Tensor, g_transposed: Tensor, order: int, lead: int) -> Tensor:
    """The same by products and sums, which a compiler makes part of the loops before and after it."""
    shape, d = part.shape, g_transposed.shape[-1]
    part = part.reshape(*shape[:lead], math.prod(shape[lead:-1]) * (shape[-1] // d**order), *(d,) * order)
    for index in range(order):  # the tensor (lead, rows, a, b, ...) by index: the sum over it, the new one in its place
        given = part.movedim(lead + 1 + index, -1).unsqueeze(-1)  # (lead, rows, others, d, 1)
        g = g_transposed.reshape(*shape[:lead], *(1,) * order, d, d)
        part = (given * g).sum(-2).movedim(-1, lead + 1 + index)
    return part.reshape(shape)


def determinant(g: Tensor) -> Tensor:
    """det(g) (...,) of orthogonal matrices (..., d, d), exactly +1 or -1, without derivatives.

    For d <= 3 by products: factorising many small matrices takes far longer, on a GPU above all.
    """
    g = g.detach()
    if g.shape[-1] == 2:
        return (g[..., 0, 0] * g[..., 1, 1] - g[..., 0, 1] * g[..., 1, 0]).sign()
    if g.shape[-1] == 3:
        return (torch.linalg.cross(g[..., 0, :], g[..., 1, :]) * g[..., 2, :]).sum(-1).sign()
    return torch.linalg.det(g).sign()
