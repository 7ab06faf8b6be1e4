"""The geometry record of a network: the hierarchy and the further quantities that its parts require, computed once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

from torch import Tensor

from tensorframes.geometry import PROFILE_SIZE, Hierarchy, variation_profiles
from tensorframes.layers.multiscale_planes import MultiScalePlanes, NearestMoments, PlaneSizes, planes_around
from tensorframes.layers.pooled_moments import PooledMoments, pooled_moments


@dataclass(frozen=True)
class Requirements:
    """The quantities that a part of a network (backbone, head) requires of the geometry beside the hierarchy.

    Attributes:
        neighbours: columns of ``Hierarchy.knn_index``, the point itself included.
        planes: sizes of the multi-scale and local planes.
        moments: whether the part uses pooled moments.
        edges: columns of ``knn_index`` along which edge vectors are used; 0: none.
        profile: whether the part uses the surface-variation profile of each cloud.
        levels: of the hierarchy that the part reads points of.
    """

    neighbours: int = 0
    planes: tuple[PlaneSizes, ...] = ()
    moments: bool = False
    edges: int = 0
    profile: bool = False
    levels: int = 1

    def __or__(self, other: Requirements) -> Requirements:
        """The requirements of both."""
        return Requirements(
            max(self.neighbours, other.neighbours),
            tuple(dict.fromkeys([*self.planes, *other.planes])),
            self.moments or other.moments,
            max(self.edges, other.edges),
            self.profile or other.profile,
            max(self.levels, other.levels),
        )

    def check_levels(self, levels: int) -> None:
        """Raise ValueError if a hierarchy with this number of levels cannot meet them."""
        for sizes in self.planes:
            sizes.check_levels(levels)
        if self.levels > levels:
            raise ValueError(
                f"expected neighbours of at most {levels} levels, those of the backbone, got those of {self.levels}"
            )
        if self.profile and levels < 2:
            raise ValueError(
                "expected a backbone with coarse levels, where profiles are measured, got one without radii"
            )


@dataclass(frozen=True)
class Geometry(Hierarchy):
    """A hierarchy with the quantities that ``Requirements`` name, computed by ``measured``; others are empty.

    Attributes:
        moments: pooled moments of levels 1, 2, ...
        planes: multi-scale and local planes, by their sizes (``planes_of``).
        tables: nearest pooled moments of each point (``nearest``).
        edges: (N_0, K, 3) vectors from each point to its nearest neighbours, without the point itself.
        profile: (B, PROFILE_SIZE) surface-variation profile of each whole cloud.
    """

    moments: tuple[PooledMoments, ...] = ()
    planes: tuple[tuple[PlaneSizes, MultiScalePlanes], ...] = ()
    tables: tuple[NearestMoments, ...] = ()
    edges: Tensor | None = None
    profile: Tensor | None = None

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The same on another device or in another precision, as ``Hierarchy.to``."""
        moved = super().to(*args, **kwargs)
        device = moved.levels[0].pos.device
        return replace(
            moved,
            moments=tuple(each.to(*args, **kwargs) for each in self.moments),
            planes=tuple((sizes, planes.to(*args, **kwargs)) for sizes, planes in self.planes),
            tables=tuple(replace(table, index=table.index.to(device)) for table in self.tables),
            edges=None if self.edges is None else self.edges.to(*args, **kwargs),
            profile=None if self.profile is None else self.profile.to(*args, **kwargs),
        )

    def planes_of(self, sizes: PlaneSizes) -> MultiScalePlanes:
        """The planes of these sizes. Raises ValueError if they were not required."""
        for asked, planes in self.planes:
            if asked == sizes:
                return planes
        raise ValueError(f"expected a geometry with {sizes}, got one with {[asked for asked, _ in self.planes]}")

    def nearest(self, level: int, count: int) -> Tensor | None:
        """(N_0, count) rows of a level's pooled moments nearest to each point of level 0; None without such a table."""
        for table in self.tables:
            if table.depth == 0 and table.level == level and table.index.shape[1] >= count:
                return table.index[:, :count]
        return None


def measured(hierarchy: Hierarchy, requirements: Requirements, profile: Tensor | None = None) -> Geometry:
    """The required geometry, in the precision of the hierarchy.

    Args:
        hierarchy: of a batch of B clouds.
        requirements: of all parts of the network.
        profile: (B, PROFILE_SIZE) the profiles of the clouds; by default measured at the points of the coarsest level.

    Raises:
        ValueError: the hierarchy has too few levels, or the profile another shape.
    """
    requirements.check_levels(len(hierarchy.levels))
    moments = pooled_moments(hierarchy) if requirements.moments or requirements.planes else ()
    planes: list[tuple[PlaneSizes, MultiScalePlanes]] = []
    tables: list[NearestMoments] = []
    for sizes in requirements.planes:
        computed, used = planes_around(hierarchy, moments, sizes)
        planes.append((sizes, computed))
        tables += used
    return Geometry(
        **vars(hierarchy),
        moments=moments,
        planes=tuple(planes),
        tables=tuple(tables),
        edges=_edges(hierarchy, requirements.edges) if requirements.edges else None,
        profile=_profiles(hierarchy, profile) if requirements.profile else None,
    )


def _edges(hierarchy: Hierarchy, columns: int) -> Tensor:
    """(N, K, 3) from each point to the others in its row of ``knn_index``."""
    pos, index = hierarchy.levels[0].pos, hierarchy.knn_index[:, 1:columns]
    return pos.index_select(0, index.flatten()).view(*index.shape, pos.shape[1]) - pos.unsqueeze(1)


def _profiles(hierarchy: Hierarchy, given: Tensor | None) -> Tensor:
    level = hierarchy.levels[0]
    if given is None:
        return variation_profiles(level.pos, level.batch, hierarchy.levels[-1].rows)
    if given.shape != (hierarchy.clouds, PROFILE_SIZE):
        raise ValueError(f"expected profiles of shape {(hierarchy.clouds, PROFILE_SIZE)}, got {tuple(given.shape)}")
    return given
