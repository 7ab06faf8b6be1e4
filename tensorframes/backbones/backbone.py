"""The interface of all backbones."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from tensorframes.frames import Frames
from tensorframes.geometry import Hierarchy, build_hierarchy, coarsest_rows
from tensorframes.geometry.hierarchy import check_radii
from tensorframes.layers import Geometry, MomentFeatures, NodeFeatures, Requirements
from tensorframes.reps import Representation


class Backbone(nn.Module):
    """A network from a cloud to one feature per point, in the point's own frame.

    A subclass sets ``reps`` and ``neighbours``, and defines ``forward``.

    Args:
        features: initial features of the points (``NodeFeatures``); by default ``MomentFeatures``.
        radii: spacing of the points of level 1, 2, ... of the hierarchy, in units of the cloud's scale.
        levels: number of levels that the network works on, from the finest. Further ones are those of the features and
            of the head.

    Attributes:
        reps: representation of the network's output.
        neighbours: number of neighbours of every point in its graph.
        radii, levels: as above; each of ``levels`` has its own frames.
        requirements: the quantities that the backbone requires of the geometry beside the hierarchy.

    Raises:
        ValueError: the radii are not positive and increasing, or too few for the levels or the features.
    """

    reps: Representation
    neighbours: int
    radii: tuple[float, ...]
    levels: int
    requirements: Requirements

    def __init__(self, features: NodeFeatures | None = None, radii: Sequence[float] = (), levels: int = 1) -> None:
        super().__init__()
        check_radii(radii)
        if features is not None and not isinstance(features, NodeFeatures):
            raise ValueError(f"expected node features such as MomentFeatures(), got {features!r}")
        self.features = MomentFeatures() if features is None else features
        self.radii, self.levels, self.requirements = tuple(radii), levels, self.features.requirements
        if levels > self.hierarchy_levels:
            raise ValueError(f"expected radii of at least {levels - 1} levels, got {list(radii)}")
        self.requirements.check_levels(self.hierarchy_levels)

    @property
    def hierarchy_levels(self) -> int:
        """Number of levels of the hierarchy: level 0, and one of each radius."""
        return 1 + len(self.radii)

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
        """Features (N, reps.dim) of level 0 and the frames they are expressed in, from the frames of ``levels`` levels.

        A backbone without requirements may be called with a ``Hierarchy``.
        """
        raise NotImplementedError
