"""Cyclic Jacobi rotations of 3 x 3 matrices as one kernel for CUDA devices (Triton, which torch for CUDA brings).

The plain version is ``eigen.jacobi``: five hundred elementwise operations, each of which a GPU is started for.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 128  # matrices of one program


@triton.jit
def _rotation(app, aqq, apq):  # type: ignore[no-untyped-def]
    """Cosine and sine that make a_pq zero, and the tangent times a_pq."""
    tau = (aqq - app) / (2 * tl.where(apq == 0, 1.0, apq))
    t = tl.where(tau < 0, -1.0, 1.0) / (tl.abs(tau) + tl.sqrt(1 + tau * tau))
    t = tl.where(apq == 0, 0.0, t)
    c = 1 / tl.sqrt(1 + t * t)
    return c, t * c, t * apq


@triton.jit
def _turned(x, y, c, s):  # type: ignore[no-untyped-def]
    return c * x - s * y, s * x + c * y


@triton.jit
def _ordered(x, y, x0, y0, x1, y1, x2, y2):  # type: ignore[no-untyped-def]
    """Two eigenvalues, ascending, each with its vector."""
    swap = x > y
    x, y = tl.where(swap, y, x), tl.where(swap, x, y)
    x0, y0 = tl.where(swap, y0, x0), tl.where(swap, x0, y0)
    x1, y1 = tl.where(swap, y1, x1), tl.where(swap, x1, y1)
    x2, y2 = tl.where(swap, y2, x2), tl.where(swap, x2, y2)
    return x, y, x0, y0, x1, y1, x2, y2


@triton.jit
def _kernel(matrices, values, vectors, count, SWEEPS: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    real = row < count
    at = row.to(tl.int64) * 9
    a = tl.load(matrices + at, mask=real, other=0.0)
    d = tl.load(matrices + at + 1, mask=real, other=0.0)
    f = tl.load(matrices + at + 2, mask=real, other=0.0)
    b = tl.load(matrices + at + 4, mask=real, other=0.0)
    e = tl.load(matrices + at + 5, mask=real, other=0.0)
    c = tl.load(matrices + at + 8, mask=real, other=0.0)
    zero = a * 0.0
    one = zero + 1.0
    x0, y0, z0 = one, zero, zero  # the vectors x, y, z of the values a, b, c
    x1, y1, z1 = zero, one, zero
    x2, y2, z2 = zero, zero, one
    for _ in range(SWEEPS):
        cosine, sine, moved = _rotation(a, b, d)
        a, b, d = a - moved, b + moved, zero
        f, e = _turned(f, e, cosine, sine)
        x0, y0 = _turned(x0, y0, cosine, sine)
        x1, y1 = _turned(x1, y1, cosine, sine)
        x2, y2 = _turned(x2, y2, cosine, sine)
        cosine, sine, moved = _rotation(a, c, f)
        a, c, f = a - moved, c + moved, zero
        d, e = _turned(d, e, cosine, sine)
        x0, z0 = _turned(x0, z0, cosine, sine)
        x1, z1 = _turned(x1, z1, cosine, sine)
        x2, z2 = _turned(x2, z2, cosine, sine)
        cosine, sine, moved = _rotation(b, c, e)
        b, c, e = b - moved, c + moved, zero
        d, f = _turned(d, f, cosine, sine)
        y0, z0 = _turned(y0, z0, cosine, sine)
        y1, z1 = _turned(y1, z1, cosine, sine)
        y2, z2 = _turned(y2, z2, cosine, sine)
    a, b, x0, y0, x1, y1, x2, y2 = _ordered(a, b, x0, y0, x1, y1, x2, y2)
    b, c, y0, z0, y1, z1, y2, z2 = _ordered(b, c, y0, z0, y1, z1, y2, z2)
    a, b, x0, y0, x1, y1, x2, y2 = _ordered(a, b, x0, y0, x1, y1, x2, y2)
    three = row.to(tl.int64) * 3
    tl.store(values + three, a, mask=real)
    tl.store(values + three + 1, b, mask=real)
    tl.store(values + three + 2, c, mask=real)
    tl.store(vectors + at, x0, mask=real)
    tl.store(vectors + at + 1, y0, mask=real)
    tl.store(vectors + at + 2, z0, mask=real)
    tl.store(vectors + at + 3, x1, mask=real)
    tl.store(vectors + at + 4, y1, mask=real)
    tl.store(vectors + at + 5, z1, mask=real)
    tl.store(vectors + at + 6, x2, mask=real)
    tl.store(vectors + at + 7, y2, mask=real)
    tl.store(vectors + at + 8, z2, mask=real)


def jacobi(matrices: Tensor, sweeps: int) -> tuple[Tensor, Tensor]:
    """As ``eigen.jacobi``, computed in float64 whatever the precision of the matrices (..., 3, 3)."""
    exact = matrices.detach().double().contiguous()
    values, vectors = exact.new_empty(exact.shape[:-1]), torch.empty_like(exact)
    count = exact.numel() // 9
    if count:
        _kernel[(triton.cdiv(count, BLOCK),)](exact, values, vectors, count, SWEEPS=sweeps, BLOCK=BLOCK)
    return values.to(matrices.dtype), vectors.to(matrices.dtype)
