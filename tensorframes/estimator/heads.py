"""Heads: from a feature in a point's frame to a normal in the world."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from tensorframes.frames import Frames
from tensorframes.geometry import Hierarchy
from tensorframes.layers import MLP
from tensorframes.reps import TensorReps


class Head(Protocol):
    """From features (N, reps.dim) in local frames to unit normals and first guesses of some rows, both (M, 3)."""

    def __call__(self, x: Tensor, hierarchy: Hierarchy, frames: Frames, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Normals and first guesses of the rows (M,)."""


class VectorHead(nn.Module):
    r"""The normal as a vector: :math:`n_i = R_i^T v_i / |v_i|`, v = MLP(f) (arXiv 2405.15389, section 3).

    On a line or a single point the vector follows the world's axes: finite, reproducible, not equivariant.

    Args:
        reps: of the features.
    """

    def __init__(self, reps: TensorReps) -> None:
        super().__init__()
        self.net = MLP([reps.dim, reps.dim, reps.d], norm=True)
        self.vector = TensorReps("1x1", d=reps.d)

    def forward(self, x: Tensor, hierarchy: Hierarchy, frames: Frames, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Normals (M, 3), twice: the guess is the normal."""
        local = self.net(x.index_select(0, rows))
        normal = unit(frames.index_select(rows).to_world(local, self.vector))
        return normal, normal


def unit(v: Tensor) -> Tensor:
    """v / |v| along the last dimension; zero stays zero."""
    square = (v * v).sum(-1, keepdim=True)
    return v * (square + (square == 0)).rsqrt()
