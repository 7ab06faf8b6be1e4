"""Constants of O(3)'s irreducible representations: spherical harmonics, and the coupling of degrees."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor


def spherical_harmonics(degree: int, points: Tensor) -> Tensor:
    r"""Real spherical harmonics of one degree, in e3nn's basis, as polynomials of the coordinates.

    With :math:`\rho e^{i\phi} = z + i x` and y the polar axis, for m = -l, ..., l

    .. math:: Y_{lm}(x, y, z) = N_{lm}\, \Pi_l^{|m|}(y)\, \rho^{|m|}
        \begin{cases} \sin |m|\phi & m < 0 \\ \cos m\phi & m \ge 0 \end{cases}

    where :math:`\Pi_l^m = P_l^m / \rho^m` without the Condon-Shortley phase; :math:`\sum_m Y_{lm}^2 = 1` on the unit
    sphere (e3nn's normalization "norm" up to the constant). Degree 1 is (x, y, z).

    Shapes: points (..., 3) on the unit sphere; returns (..., 2 degree + 1).
    """
    x, y, z = points.unbind(-1)
    real, imaginary = torch.ones_like(x), torch.zeros_like(x)  # of (z + i x)^m
    columns: dict[int, Tensor] = {}
    for m in range(degree + 1):
        legendre = _legendre(degree, m, y)
        size = math.sqrt((2 if m else 1) * math.factorial(degree - m) / math.factorial(degree + m))
        columns[m] = size * legendre * real
        if m:
            columns[-m] = size * legendre * imaginary
        real, imaginary = real * z - imaginary * x, real * x + imaginary * z
    return torch.stack([columns[m] for m in range(-degree, degree + 1)], dim=-1)


def _legendre(degree: int, m: int, y: Tensor) -> Tensor:
    """P_degree^m(y) / (1 - y^2)^(m / 2), without the Condon-Shortley phase, by the recursion in the degree."""
    lower, value = torch.zeros_like(y), torch.full_like(y, float(math.prod(range(1, 2 * m, 2))))
    for step in range(m + 1, degree + 1):
        lower, value = value, ((2 * step - 1) * y * value - (step + m - 1) * lower) / (step - m)
    return value


def coupling(a: int, b: int, c: int) -> Tensor:
    r"""The map (2a + 1, 2b + 1, 2c + 1), float64, that couples degrees a and b to c: equivariant under rotations.

    Columns are orthonormal: :math:`\sum_{ij} K_{ijm} K_{ijn} = \delta_{mn}`. It is unique up to its sign, which is
    fixed by the integral of three harmonics where that is not zero (a + b + c even), else by its first large entry.

    Raises:
        ValueError: c is not within |a - b| and a + b.
    """
    if not abs(a - b) <= c <= a + b:
        raise ValueError(f"expected a degree from {abs(a - b)} to {a + b} for {a} x {b}, got {c}")
    return _coupling(a, b, c)


@cache
def coupling_on(a: int, b: int, c: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """``coupling`` in a precision and on a device, copied there once."""
    with torch.inference_mode(False):
        return coupling(a, b, c).to(device, dtype)


@cache
def _coupling(a: int, b: int, c: int) -> Tensor:
    with torch.inference_mode(False), torch.device("cpu"):  # whatever the first caller is in: others get it, too
        coefficients = _odd_coupling(a, b, c) if (a + b + c) % 2 else _even_coupling(a, b, c)
        return coefficients * math.sqrt(2 * c + 1) / coefficients.norm()


def _even_coupling(a: int, b: int, c: int) -> Tensor:
    points, weights = _quadrature(a + b + c)
    left, right, out = (spherical_harmonics(degree, points) for degree in (a, b, c))
    return torch.einsum("p,pi,pj,pm->ijm", weights, left, right, out)


def _odd_coupling(a: int, b: int, c: int) -> Tensor:
    """The null space of K -> (D_a x D_b) K - K D_c for two rotations that generate all: one dimension."""
    turns = [rotation_about(axis, 1.0 + axis) for axis in (0, 1)]
    size = (2 * a + 1) * (2 * b + 1)
    conditions = []
    for g in turns:
        left = torch.kron(harmonic_rotation(a, g), harmonic_rotation(b, g))
        conditions.append(
            torch.kron(left, torch.eye(2 * c + 1, dtype=torch.float64))
            - torch.kron(torch.eye(size, dtype=torch.float64), harmonic_rotation(c, g).T.contiguous())
        )
    _, values, rows = torch.linalg.svd(torch.cat(conditions))
    if not values[-1] < 1e-9 < 1e-3 < values[-2]:
        raise ArithmeticError(f"expected one coupling of {a} x {b} to {c}, got singular values {values[-2:].tolist()}")
    coefficients = rows[-1].view(2 * a + 1, 2 * b + 1, 2 * c + 1)
    first = coefficients.flatten()[(coefficients.abs() > 0.1 * coefficients.abs().max()).flatten()][0]
    return coefficients * first.sign()


def harmonic_rotation(degree: int, g: Tensor) -> Tensor:
    """D(g) with Y(g p) = D(g) Y(p), by least squares over points of the sphere: slow, exact, for constants only."""
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(4 * degree + 8, 3, dtype=torch.float64, generator=generator)
    points = points / points.norm(dim=-1, keepdim=True)
    before, after = spherical_harmonics(degree, points), spherical_harmonics(degree, points @ g.T)
    return torch.linalg.lstsq(before, after).solution.T.contiguous()


def rotation_about(axis: int, angle: float) -> Tensor:
    """The rotation (3, 3), float64, about a coordinate axis."""
    g = torch.eye(3, dtype=torch.float64)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    g[i, i] = g[j, j] = math.cos(angle)
    g[i, j], g[j, i] = -math.sin(angle), math.sin(angle)
    return g


def _quadrature(degree: int) -> tuple[Tensor, Tensor]:
    """Points (P, 3) and weights (P,) that integrate polynomials up to a degree over the sphere exactly."""
    import numpy as np

    height, weight = (torch.from_numpy(v) for v in np.polynomial.legendre.leggauss(degree // 2 + 1))
    angle = 2 * math.pi * torch.arange(degree + 1, dtype=torch.float64) / (degree + 1)
    radius = (1 - height.square()).sqrt()
    points = torch.stack(
        [
            radius.unsqueeze(1) * angle.sin(),
            height.unsqueeze(1).expand(-1, len(angle)),
            radius.unsqueeze(1) * angle.cos(),
        ],
        dim=-1,
    )
    return points.flatten(0, 1), weight.repeat_interleave(len(angle)) / (2 * len(angle))
