"""Node features: the inputs that the points of every level start from, the same for every backbone."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tensorframes.frames import Frames
from tensorframes.layers.geometry import Geometry, Requirements
from tensorframes.layers.moments import NeighbourhoodMoments
from tensorframes.messages import Messages
from tensorframes.reps import Representation, TensorReps


class Embeddings(nn.Module):
    r"""Embeddings of further features, added to hidden features of one level: :math:`f \leftarrow f + \sum_n E_n`.

    Args:
        parts: by name; each a module called as ``part(geometry, depth, frames)`` -> (N_depth, width).
    """

    def __init__(self, parts: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x: Tensor, geometry: Geometry, depth: int, frames: Frames) -> Tensor:
        """Features (N_depth, width) from x (N_depth, width) and the frames of that level."""
        for part in self.children():
            x = x + part(geometry, depth, frames)
        return x


class NodeFeatures(nn.Module):
    """The features of the points, before any message, in their frames.

    A subclass sets ``reps`` and defines ``forward``. Features that need an embedding of their own are ``embeddings``.

    Attributes:
        reps: representation of the features.
        requirements: the quantities that they require of the geometry beside the hierarchy.
    """

    reps: Representation
    requirements: Requirements = Requirements()

    def reps_for(self, messages: Messages) -> Representation:
        """The representation as which messages of this kind send the features: tensors, or scalars."""
        numbers = messages.reps(self.reps.dim)
        return numbers if numbers.is_invariant else self.reps

    def embeddings(self, width: int) -> Embeddings:
        """New embeddings of further features, here none, for hidden features of ``width`` numbers.

        A backbone of several levels adds them at level 1, one of a single level at level 0, each after its first layer.
        """
        return Embeddings({})

    def forward(self, geometry: Geometry, depth: int, frames: Frames) -> Tensor:
        """(N_depth, reps.dim) features of the points of level ``depth``, from the frames of that level."""
        raise NotImplementedError


class ConstantFeatures(NodeFeatures):
    """The number 1 at every point: the ordinary network, whose layers alone see the geometry."""

    reps = TensorReps("1x0")

    def forward(self, geometry: Geometry, depth: int, frames: Frames) -> Tensor:
        """Ones (N_depth, 1)."""
        return torch.ones_like(geometry.levels[depth].pos[:, :1])


class MomentFeatures(NodeFeatures):
    """Density, mean, covariance and plane of each point's neighbourhood at its level (``NeighbourhoodMoments``)."""

    reps = NeighbourhoodMoments.reps

    def __init__(self) -> None:
        super().__init__()
        self.moments = NeighbourhoodMoments()

    def forward(self, geometry: Geometry, depth: int, frames: Frames) -> Tensor:
        """(N_depth, 23)."""
        level = geometry.levels[depth]
        return frames.to_local(self.moments(level.pos, level.neighbours), self.reps)
