"""Which representation hidden features have: the one choice between tensor and scalar messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tensorframes.reps import TensorReps


class Messages(Protocol):
    """From a width in numbers to the representation of features of that width."""

    def reps(self, width: int, d: int = 3) -> TensorReps:
        """A representation of exactly ``width`` numbers in dimension d."""


class TensorMessages:
    """Features that are scalars, vectors, matrices, ... in stated shares (arXiv 2405.15389: "tensor messages").

    Args:
        shares: of the width for order 1, 2, ...; the rest are scalars. (0.375, 0.125) makes 64 numbers
            ``32x0 + 8x1 + 1x2`` (24 of 64 numbers are vectors, 9 a matrix, rounded to whole tensors).
    """

    def __init__(self, shares: Sequence[float] = (0.375, 0.25)) -> None:
        if any(share < 0 for share in shares) or sum(shares) > 1:
            raise ValueError(f"expected shares of at least 0 that sum to at most 1, got {tuple(shares)}")
        self.shares = tuple(shares)

    def reps(self, width: int, d: int = 3) -> TensorReps:
        """A representation of exactly ``width`` numbers in dimension d."""
        blocks = [(round(width * share) // d**order, order) for order, share in enumerate(self.shares, start=1)]
        scalars = width - sum(mul * d**order for mul, order in blocks)
        spec = [f"{scalars}x0", *(f"{mul}x{order}" for mul, order in blocks)]
        return TensorReps(" + ".join(spec), d=d)


class ScalarMessages:
    """Features are passed on as bare numbers, whatever the frames (what earlier local-frame methods did)."""

    def reps(self, width: int, d: int = 3) -> TensorReps:
        """``width`` scalars."""
        return TensorReps(f"{width}x0", d=d)
