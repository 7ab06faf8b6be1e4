"""Eigenvalues and eigenvectors of many small symmetric matrices, on any device."""

from __future__ import annotations

import math
import warnings
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor

SWEEPS = 6  # of Jacobi rotations; quadratic convergence makes five enough for float64
OF_DEVICE = ("out of memory", "cuda error")  # in errors that are the device's at that time, not Triton's
BATCH = 16384  # matrices of other sizes that cuSOLVER gets at a time: its batched solver fails beyond about 32,000


def eigh(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (..., d), ascending, and eigenvectors (..., d, d) in columns, of symmetric matrices (..., d, d).

    Without derivatives on any device: those of eigenvectors are infinite where eigenvalues meet, and callers add the
    finite ones that they need.

    On a CPU LAPACK's. On a GPU 3 x 3 matrices are diagonalised by cyclic Jacobi rotations (``jacobi_kernel``): the
    batched solver of cuSOLVER takes hundreds of kilobytes of memory a matrix and fails for more than about 32,000.
    """
    matrices = matrices.detach()
    if matrices.device.type == "cpu":
        values, vectors = torch.linalg.eigh(matrices)
        return values, vectors
    if matrices.shape[-1] == 3:
        plain = torch.compiler.is_compiling() or not has_kernel(matrices.device)
        return jacobi(matrices) if plain else jacobi_at_once(matrices)
    parts = [torch.linalg.eigh(part) for part in matrices.reshape(-1, *matrices.shape[-2:]).split(BATCH)]
    values, vectors = (torch.cat(each) for each in zip(*parts, strict=True))
    return values.view(matrices.shape[:-1]), vectors.view(matrices.shape)


@cache
def has_kernel(device: torch.device) -> bool:
    """Whether ``jacobi_kernel`` runs on a device: Triton is there, its compiler too, and the card is no older than
    Triton supports.

    Raises:
        RuntimeError: the device fails, for want of memory, say. That is not remembered; the next call tries again.
    """
    if device.type != "cuda" or find_spec("triton") is None:
        return False
    try:
        try_kernel(device)
    except Exception as error:  # Triton's errors have no common class
        if isinstance(error, torch.OutOfMemoryError) or any(each in str(error).lower() for each in OF_DEVICE):
            raise
        warnings.warn(f"eigenvectors take several times as long on this GPU without Triton: {error}", stacklevel=2)
        return False
    return True


def try_kernel(device: torch.device) -> None:
    """Diagonalise one matrix by the kernel."""
    jacobi_at_once(torch.eye(3, device=device).unsqueeze(0))


def jacobi_at_once(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """``jacobi`` in one kernel."""
    from tensorframes.geometry import jacobi_kernel

    with torch.cuda.device(matrices.device):
        return jacobi_kernel.jacobi(matrices, SWEEPS)


def eigvalsh(matrices: Tensor) -> Tensor:
    """Eigenvalues (..., d), ascending, of symmetric matrices (..., d, d), without derivatives as ``eigh``."""
    return torch.linalg.eigvalsh(matrices.detach()) if matrices.device.type == "cpu" else eigh(matrices)[0]


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


def closed_eigenvalues(matrices: Tensor) -> Tensor:
    """Eigenvalues (..., 3), ascending, of symmetric matrices (..., 3, 3), by the trigonometric formula (Smith 1961).

    Their error is of the size of the precision times the largest eigenvalue, or of its square root where two of them
    are equal. For many small matrices it is tens of times faster than LAPACK.
    """
    mean, radius, angle = _circle(entries(matrices))
    turns = torch.stack([angle + 2 * math.pi / 3, angle - 2 * math.pi / 3, angle], dim=-1)
    return mean.unsqueeze(-1) + radius.unsqueeze(-1) * turns.cos()


def principal_axis(matrices: Tensor) -> Tensor:
    """Unit eigenvectors (..., 3), of arbitrary sign, of the largest eigenvalues of symmetric matrices (..., 3, 3).

    The longest column of the adjugate of A - lambda I, in closed form. Where the two largest eigenvalues are equal
    the vector is arbitrary; of a multiple of the unit matrix it is zero.
    """
    numbers = entries(matrices)
    size = numbers.abs().amax(0)
    numbers = numbers / torch.where(size > 0, size, torch.ones_like(size))
    mean, radius, angle = _circle(numbers)
    a, b, c = numbers[:3] - (mean + radius * angle.cos())
    d, e, f = numbers[3:]
    g, h, i = e * f - c * d, d * f - a * e, d * e - b * f  # off the adjugate's diagonal: xy, yz, xz
    columns = torch.stack([b * c - e * e, g, i, g, a * c - f * f, h, i, h, a * b - d * d]).unflatten(0, (3, 3))
    squares = columns.square().sum(1)
    axis, most = columns[0], squares[0]
    for column, square in zip(columns[1:], squares[1:], strict=True):
        axis, most = torch.where(square > most, column, axis), torch.maximum(square, most)
    return (axis * torch.where(most > 0, most, torch.ones_like(most)).rsqrt()).movedim(0, -1).contiguous()


def entries(matrices: Tensor) -> Tensor:
    """The entries xx, yy, zz, xy, yz, xz (6, ...) of symmetric matrices (..., 3, 3), one after the other in memory:
    elementwise operations on them are far faster than side by side."""
    return torch.stack([matrices[..., i, j] for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (0, 2))])


def _circle(numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Eigenvalues as points on a circle: their mean m, the radius r and the angle t of the largest, m + r cos t; from
    ``entries`` (6, ...)."""
    mean = numbers[:3].mean(0)
    diagonal, off = numbers[:3] - mean, numbers[3:]
    spread = ((diagonal.square().sum(0) + 2 * off.square().sum(0)) / 6).sqrt()
    safe = torch.where(spread > 0, spread, torch.ones_like(spread))
    (a, b, c), (d, e, f) = diagonal / safe, off / safe
    determinant = a * (b * c - e * e) - d * (d * c - e * f) + f * (d * e - b * f)
    return mean, 2 * spread, (determinant / 2).clamp(-1, 1).acos() / 3
