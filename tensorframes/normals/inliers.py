"""Smooth counts of inliers of planes, and planes of minimal samples, as in RANSAC (Fischler and Bolles 1981)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tensorframes.normals.candidates import safe_divisor


def checked_tolerances(tolerances: Sequence[float]) -> tuple[float, ...]:
    """Tolerances as a tuple. Raises ValueError unless there are some, above 0 and ascending."""
    if not tolerances or min(tolerances) <= 0 or list(tolerances) != sorted(set(tolerances)):
        raise ValueError(f"expected tolerances above 0, ascending, got {list(tolerances)}")
    return tuple(tolerances)


def distance_weight(length: Tensor) -> Tensor:
    """exp(-length^2 / 4) of lengths in units of the neighbourhood's size."""
    return (-(length / 2).square()).exp()


def inlier_counts(edge: Tensor, normal: Tensor, weight: Tensor, tolerances: Sequence[float]) -> list[Tensor]:
    r"""For each tolerance the counts :math:`\sum_j w_j (1 + (n_c \cdot r_j / \tau)^4)^{-1}` (M, V, C).

    Args:
        edge: (M, K, 3) from each point to its neighbours. normal: (M, C, 3) of planes through the point.
        weight: (M, V, K) V weights of each neighbour.
    """
    fourth_power = (edge @ normal.transpose(1, 2)).square_().square_()  # of heights, (M, K, C)
    return [weight @ (fourth_power * tolerance**-4).add_(1).reciprocal_() for tolerance in tolerances]


def spanned_plane(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Unit normals (..., 3) of the planes that edges a and b span, and the squared sines (...) of their angles."""
    normal = torch.linalg.cross(a, b)
    square = normal.square().sum(-1)
    squared_sine = square / safe_divisor(a.square().sum(-1) * b.square().sum(-1))
    return normal / safe_divisor(square).sqrt().unsqueeze(-1), squared_sine
