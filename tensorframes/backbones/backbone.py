"""The interface of all backbones."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from tensorframes.frames import Frames
from tensorframes.geometry import Hierarchy, build_hierarchy, coarsest_rows
from tensorframes.layers import Geometry, Requirements
from tensorframes.reps import Representation


class Backbone(nn.Module):
    """A network from a cloud to one feature per point, in the point's own frame.

    A subclass sets ``reps`` and ``neighbours``, for several levels also ``radii`` and ``levels``, and defines
    ``forward``.

    Attributes:
        reps: representation of the features.
        neighbours: number of neighbours of every point in its graph.
        radii: spacing of the points of level 1, 2, ..., in units of the cloud's scale.
        levels: number of resolutions; each has its own frames.
        requirements: the quantities that the backbone requires of the geometry beside the hierarchy.
    """

    reps: Representation
    neighbours: int
    radii: tuple[float, ...] = ()
    levels: int = 1
    requirements: Requirements = Requirements()

    def plan(self, pos: Tensor, batch: Tensor, knn_index: Tensor | None = None) -> Hierarchy:
        """The levels and graphs of a batch of clouds.

        Args:
            pos: (N, d) distinct points, in units of the cloud's scale. batch: (N,) cloud of each, ascending.
            knn_index: (N, K) their ``geometry.nearest_neighbours``, by default computed.
        """
        return build_hierarchy(pos, batch, self.radii, self.neighbours, knn_index=knn_index)

    def coarsest_rows(self, pos: Tensor, batch: Tensor) -> Tensor:
        """Rows of the points at which ``plan`` samples its coarsest level; arguments as there."""
        return coarsest_rows(pos, batch, self.radii, self.neighbours)

    def forward(self, geometry: Geometry, frames: Sequence[Frames]) -> tuple[Tensor, Frames]:
        """Features (N, reps.dim) of level 0 and the frames they are expressed in, from the frames of every level.

        A backbone without requirements may be called with a ``Hierarchy``.
        """
        raise NotImplementedError
