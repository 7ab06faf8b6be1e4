"""Multi-scale planes: planes of neighbourhoods of several sizes, each fitted to all points of level 0 within it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tensorframes.geometry import Hierarchy
from tensorframes.geometry.eigen import closed_eigenvalues
from tensorframes.layers.moments import normalised_adjugate
from tensorframes.layers.pooled_moments import (
    PooledMoments,
    covariances_around,
    inverse_square_shares,
    nearest_moments,
    point_moments,
)
from tensorframes.parallel import parallel_map
from tensorframes.reps import full_precision

CHUNK = {"cpu": 16384}  # planes computed at once: their intermediate values stay in the cache
LARGEST_CHUNK = 262144  # on other devices: bounds memory
LEAST = 1e-6  # added to variances, in squared units of the scale


@dataclass(frozen=True)
class PlaneSizes:
    """The centres of planes, and the sizes of their neighbourhoods.

    Attributes:
        depth: level of the centres: 0 (local planes) or 1 (multi-scale planes).
        counts: for this level and each coarser one, numbers of its nearest points that make a neighbourhood; each
            number gives one plane.
    """

    depth: int
    counts: tuple[tuple[int, ...], ...]

    @classmethod
    def checked(cls, depth: int, counts: Sequence[Sequence[int]]) -> PlaneSizes:
        """From plain lists.

        Raises:
            ValueError: another level, no number, a number below 1, or ``counts`` is no list of lists.
        """
        if depth not in range(len(NAMES)):
            raise ValueError(f"expected planes centred at level 0 or 1, got level {depth}")
        if not all(isinstance(sizes, Sequence) and all(isinstance(size, int) for size in sizes) for sizes in counts):
            raise ValueError(f"expected a list of counts for each level, got {counts}")
        lists = [list(sizes) for sizes in counts]
        if not any(lists) or min(size for sizes in lists for size in sizes) < 1:
            raise ValueError(f"expected counts >= 1 for {NAMES[depth]} planes, got {lists}")
        return cls(depth, tuple(tuple(sizes) for sizes in lists))

    @property
    def planes(self) -> int:
        """Number of planes of each centre."""
        return sum(len(sizes) for sizes in self.counts)

    @property
    def nearest(self) -> int:
        """Number of nearest points of level 0 that they are computed from, the centre itself included."""
        return max(self.counts[0], default=0) if self.depth == 0 else 0

    @property
    def levels(self) -> int:
        """Number of levels that a hierarchy needs for them."""
        return self.depth + len(self.counts)

    def check_levels(self, levels: int) -> None:
        """Raise ValueError if a hierarchy with this number of levels has too few."""
        if self.levels > levels:
            most, got = levels - self.depth, len(self.counts)
            raise ValueError(
                f"expected {NAMES[self.depth]} planes of at most {most} levels, got {got}: each radius of a backbone "
                "is one coarse level"
            )


NAMES = ("local", "multi-scale")  # of planes, by the level of their centres


@dataclass(frozen=True)
class MultiScalePlanes:
    """Planes of S neighbourhoods of each of N points, and their shapes.

    Attributes:
        planes: (N, S, 3, 3) symmetric normalised adjugates of the covariances: n n^T where a neighbourhood is flat.
        shape: (N, S, 3) square roots of the ratios of the two smaller eigenvalues to the largest, and a quarter of the
            logarithm of the largest; for local planes (N, S, 4), also a quarter of the logarithm of the smallest.
    """

    planes: Tensor
    shape: Tensor

    def to(self, *args: Any, **kwargs: Any) -> MultiScalePlanes:
        """The same on another device or in another precision; arguments as in ``torch.Tensor.to``."""
        return MultiScalePlanes(self.planes.to(*args, **kwargs), self.shape.to(*args, **kwargs))

    def index_select(self, rows: Tensor) -> MultiScalePlanes:
        """The planes at some of the points, rows (M,)."""
        return MultiScalePlanes(self.planes.index_select(0, rows), self.shape.index_select(0, rows))

    def split(self, size: int) -> list[MultiScalePlanes]:
        """Chunks of at most ``size`` points."""
        chunks = zip(self.planes.split(size), self.shape.split(size), strict=True)
        return [MultiScalePlanes(planes, shape) for planes, shape in chunks]


@dataclass(frozen=True)
class NearestMoments:
    """A table of neighbours: for every point of a level, the nearest pooled moments of another."""

    depth: int  # level of the centres
    level: int  # level of the moments
    index: Tensor  # (N_depth, K) rows of that level, nearest first


def planes_around(
    hierarchy: Hierarchy, moments: Sequence[PooledMoments], sizes: PlaneSizes
) -> tuple[MultiScalePlanes, tuple[NearestMoments, ...]]:
    """Planes around the points of level ``sizes.depth``, and the tables of neighbours they are computed from.

    Args:
        moments: ``pooled_moments(hierarchy)``.
        sizes: which planes.

    Raises:
        ValueError: the hierarchy has too few levels.
    """
    sizes.check_levels(len(hierarchy.levels))
    depth, every = sizes.depth, [point_moments(hierarchy), *moments]
    centres = hierarchy.levels[depth].pos
    asked = [(level, counts) for level, counts in enumerate(sizes.counts, start=depth) if counts]
    tables = [
        NearestMoments(depth, level, nearest_moments(hierarchy, every[level], level, depth, max(counts)))
        for level, counts in asked
    ]

    def computed(chunk: tuple[Tensor, ...]) -> MultiScalePlanes:
        covariances = []
        for (level, counts), table in zip(asked, chunk[1:], strict=True):
            covariances += covariances_around(chunk[0], table, every[level], counts)
        return _planes(torch.stack(covariances, dim=1), smallest=depth == 0)

    most = max(1, CHUNK.get(centres.device.type, LARGEST_CHUNK) // sizes.planes)
    chunks = zip(*(each.split(most) for each in (centres, *(table.index for table in tables))), strict=True)
    parts = parallel_map(computed, list(chunks), centres.device)
    planes = MultiScalePlanes(torch.cat([part.planes for part in parts]), torch.cat([part.shape for part in parts]))
    return planes, tuple(tables)


def _planes(covariance: Tensor, smallest: bool) -> MultiScalePlanes:
    """Planes and shapes of covariances (N, S, 3, 3); ``smallest``: the shapes hold the smallest eigenvalue's size."""
    values = closed_eigenvalues(covariance).clamp_min(0)
    largest = values[..., 2:]
    ratios = (values[..., :2] / torch.where(largest > 0, largest, torch.ones_like(largest))).sqrt()
    logarithms = (values[..., [2, 0]] if smallest else largest).add(LEAST).log() / 4
    planes = normalised_adjugate(covariance.flatten(0, 1)).view_as(covariance)
    return MultiScalePlanes(planes, torch.cat([ratios, logarithms], dim=-1))


def interpolated(planes: MultiScalePlanes, hierarchy: Hierarchy) -> MultiScalePlanes:
    """Planes around the points of level 1 at those of level 0, interpolated as tensors and invariants are."""
    table, share = hierarchy.above[0], inverse_square_shares(hierarchy, 0).unsqueeze(1)

    @full_precision
    def at_points(values: Tensor) -> Tensor:
        arrived = values.flatten(1).index_select(0, table.flatten()).view(*table.shape, -1)
        return (share @ arrived).view(len(table), *values.shape[1:])

    return MultiScalePlanes(at_points(planes.planes), at_points(planes.shape))
