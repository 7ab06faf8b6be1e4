"""Eigenvalues and eigenvectors of many small symmetric matrices, on any device."""

from __future__ import annotations

import torch
from torch import Tensor

SWEEPS = 6  # of Jacobi rotations; quadratic convergence makes five enough for float64
BATCH = 16384  # matrices of other sizes that cuSOLVER gets at a time: its batched solver fails beyond about 32,000


def eigh(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (..., d), ascending, and eigenvectors (..., d, d) in columns, of symmetric matrices (..., d, d).

    On a CPU LAPACK's. On a GPU 3 x 3 matrices are diagonalised by cyclic Jacobi rotations, all of them at once: the
    batched solver of cuSOLVER takes hundreds of kilobytes of memory a matrix and fails for more than about 32,000.
    """
    if matrices.device.type == "cpu":
        values, vectors = torch.linalg.eigh(matrices)
        return values, vectors
    if matrices.shape[-1] == 3:
        return jacobi(matrices)
    parts = [torch.linalg.eigh(part) for part in matrices.reshape(-1, *matrices.shape[-2:]).split(BATCH)]
    values, vectors = (torch.cat(each) for each in zip(*parts, strict=True))
    return values.view(matrices.shape[:-1]), vectors.view(matrices.shape)


def eigvalsh(matrices: Tensor) -> Tensor:
    """Eigenvalues (..., d), ascending, of symmetric matrices (..., d, d)."""
    return torch.linalg.eigvalsh(matrices) if matrices.device.type == "cpu" else eigh(matrices)[0]


def jacobi(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (..., 3), ascending, and eigenvectors (..., 3, 3) in columns, of symmetric matrices (..., 3, 3).

    Cyclic Jacobi rotations (Golub and Van Loan, *Matrix Computations*, section 8.5): each makes one element off the
    diagonal zero, by the angle of tangent t = sign(tau) / (abs(tau) + sqrt(1 + tau^2)), tau = (a_qq - a_pp) / 2 a_pq.
    """
    a = {(p, q): matrices[..., p, q] for p in range(3) for q in range(p, 3)}
    one, zero = torch.ones_like(matrices[..., 0, 0]), torch.zeros_like(matrices[..., 0, 0])
    v = [[one if row == column else zero for column in range(3)] for row in range(3)]
    for _ in range(SWEEPS):
        for p, q in ((0, 1), (0, 2), (1, 2)):
            off, r = a[p, q], 3 - p - q
            tau = (a[q, q] - a[p, p]) / (2 * torch.where(off == 0, one, off))
            t = torch.where(tau < 0, -one, one) / (tau.abs() + (1 + tau * tau).sqrt())
            t = torch.where(off == 0, zero, t)
            c = (1 + t * t).rsqrt()
            s = t * c
            a[p, p], a[q, q], a[p, q] = a[p, p] - t * off, a[q, q] + t * off, zero
            pr, qr = (min(p, r), max(p, r)), (min(q, r), max(q, r))
            a[pr], a[qr] = c * a[pr] - s * a[qr], s * a[pr] + c * a[qr]
            for row in v:
                row[p], row[q] = c * row[p] - s * row[q], s * row[p] + c * row[q]
    values, order = torch.stack([a[0, 0], a[1, 1], a[2, 2]], dim=-1).sort(dim=-1, stable=True)
    vectors = torch.stack([torch.stack(row, dim=-1) for row in v], dim=-2)
    return values, vectors.gather(-1, order.unsqueeze(-2).expand_as(vectors))
