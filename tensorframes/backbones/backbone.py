"""What every backbone has in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from tensorframes.frames import Frames
from tensorframes.geometry import Hierarchy
from tensorframes.reps import Representation


class Backbone(Protocol):
    """A network from a cloud to one feature per point, told in the point's own frame.

    reps: the representation of that feature.
    levels: how many resolutions it works on; frames are found for each.
    neighbours: of every point in its graph.
    """

    reps: Representation
    levels: int
    neighbours: int

    def plan(self, pos: Tensor, batch: Tensor, near: Tensor | None = None) -> Hierarchy:
        """All of the geometry it needs: pos (N, d) distinct points in units of the scale, batch (N,) ascending.

        ``near``: their ``geometry.nearest_neighbours``, if they are known.
        """

    def __call__(self, hierarchy: Hierarchy, frames: Sequence[Frames]) -> tuple[Tensor, Frames]:
        """Features (N, reps.dim) of level 0, and the frames they are told in; from the frames of every level."""
