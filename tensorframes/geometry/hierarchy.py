"""A cloud at several resolutions, with the graphs within and between them; computed before a network runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor

from tensorframes.geometry.neighbours import knn
from tensorframes.geometry.radial import envelope
from tensorframes.geometry.sampling import independent_set, intrinsic_priority

PRIORITY_NEIGHBOURS = 8  # whose distances decide which points are sampled


@dataclass(frozen=True)
class Level:
    """One resolution of a batch of clouds.

    Attributes:
        pos: (N_l, d) positions in units of the cloud's scale; above level 0 the mean of the points around a sample.
        batch: (N_l,) cloud of each point, ascending.
        rows: (N_l,) row of each point at level 0.
        neighbours: (N_l, k) rows of this level, nearest first, the point itself included.
        below: (N_l, k) rows of the next finer level (at level 0, of this level) that send to each point.
    """

    pos: Tensor
    batch: Tensor
    rows: Tensor
    neighbours: Tensor
    below: Tensor

    def __len__(self) -> int:
        return self.pos.shape[0]

    def to(self, *args: Any, **kwargs: Any) -> Level:
        """The same on another device, or positions in another precision; arguments as in ``torch.Tensor.to``."""
        pos = self.pos.to(*args, **kwargs)
        rows = (each.to(pos.device) for each in (self.batch, self.rows, self.neighbours, self.below))
        return Level(pos, *rows)

    @property
    def edge_index(self) -> Tensor:
        """(2, N_l k), the neighbours as edges, row 0 sending to row 1."""
        return table_edges(self.neighbours)


@dataclass(frozen=True)
class Hierarchy:
    """Levels from fine to coarse, and the coarse points that each finer point is interpolated from.

    Attributes:
        levels: level 0, which holds all points, and the coarser ones.
        above: for every level but the last, (N_l, 3) rows of level l + 1 that its points are interpolated from.
        clouds: number of clouds in the batch.
        knn_index: (N_0, K) neighbours at level 0, nearest first, the point itself included; K >= k of the graph.
    """

    levels: tuple[Level, ...]
    above: tuple[Tensor, ...]
    clouds: int
    knn_index: Tensor

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The same on another device, or positions in another precision; arguments as in ``torch.Tensor.to``.

        Tables of rows are whole numbers in any precision.
        """
        levels = tuple(level.to(*args, **kwargs) for level in self.levels)
        device = levels[0].pos.device
        above = tuple(table.to(device) for table in self.above)
        return replace(self, levels=levels, above=above, knn_index=self.knn_index.to(device))

    @property
    def points(self) -> int:
        """Points at level 0."""
        return len(self.levels[0])


def build_hierarchy(
    pos: Tensor,
    batch: Tensor,
    radii: Sequence[float],
    neighbours: int = 16,
    interpolated: int = 3,
    knn_index: Tensor | None = None,
) -> Hierarchy:
    """Sample levels (``sample_levels``) and connect them.

    Args:
        pos: (N, d) distinct points, in units of the cloud's scale.
        batch: (N,) cloud of each point, ascending.
        radii: of the levels 1, 2, ..., in units of the scale, increasing.
        neighbours: k of every graph within a level and from one level to the next coarser.
        interpolated: number of coarse points that a finer one is interpolated from.
        knn_index: ``nearest_neighbours`` of the points, by default computed.

    Raises:
        ValueError: the radii are not positive and increasing.
    """
    clouds = int(batch.max()) + 1 if len(batch) else 0
    knn_index = nearest_neighbours(pos, batch, neighbours) if knn_index is None else knn_index
    own = knn_index[:, :neighbours].contiguous()
    levels, above = [Level(pos, batch, torch.arange(len(pos), device=pos.device), own, own)], []
    for sample in sample_levels(pos, batch, radii, neighbours, knn_index):
        fine = levels[-1]
        own = knn(sample.pos, neighbours, batch=sample.batch)
        levels.append(Level(sample.pos, sample.batch, sample.rows, own, sample.around[:, :neighbours].contiguous()))
        above.append(knn(sample.pos, interpolated, query=fine.pos, batch=sample.batch, query_batch=fine.batch))
    return Hierarchy(tuple(levels), tuple(above), clouds, knn_index)


@dataclass(frozen=True)
class Sample:
    """The points of one coarse level, before they are connected."""

    pos: Tensor  # (N_l, d) barycentres
    batch: Tensor  # (N_l,)
    rows: Tensor  # (N_l,) rows of level 0
    around: Tensor  # (N_l, 2 k) rows of the level below around each sampled point


def sample_levels(
    pos: Tensor, batch: Tensor, radii: Sequence[float], neighbours: int, knn_index: Tensor
) -> Iterator[Sample]:
    """The points of the levels 1, 2, ... of a hierarchy; arguments as in ``build_hierarchy``.

    Level l + 1 is a maximal independent set of level l: its points are at least ``radii[l]`` apart, and no point of
    level l is farther than that from the nearest of them. ``independent_set`` depends on distances only, not on the
    order of the points. Each sampled point then moves to the mean of the points of level l around it (``barycentres``),
    which averages noise.
    """
    check_radii(radii)
    rows = torch.arange(len(pos), device=pos.device)
    priority = intrinsic_priority(pos, batch, PRIORITY_NEIGHBOURS, knn_index) if radii else None
    for radius in radii:
        chosen = independent_set(pos, radius, batch, priority)
        priority = priority.index_select(0, chosen) if priority is not None else None
        centres, coarse_batch = pos.index_select(0, chosen), batch.index_select(0, chosen)
        around = knn(pos, 2 * neighbours, query=centres, batch=batch, query_batch=coarse_batch)
        pos, batch, rows = barycentres(pos, centres, around, 2 * radius), coarse_batch, rows.index_select(0, chosen)
        yield Sample(pos, batch, rows, around)


def coarsest_rows(
    pos: Tensor, batch: Tensor, radii: Sequence[float], neighbours: int, knn_index: Tensor | None = None
) -> Tensor:
    """Rows (N_L,) of level 0 that the coarsest level of ``build_hierarchy`` is sampled at, without its graphs."""
    knn_index = nearest_neighbours(pos, batch, neighbours) if knn_index is None else knn_index
    rows = torch.arange(len(pos), device=pos.device)
    for sample in sample_levels(pos, batch, radii, neighbours, knn_index):
        rows = sample.rows
    return rows


def nearest_neighbours(pos: Tensor, batch: Tensor, neighbours: int) -> Tensor:
    """(N, K) nearest of distinct points (N, d), the point itself first: as many as graph, sampling and scale need."""
    return knn(pos, max(neighbours, PRIORITY_NEIGHBOURS + 1), batch=batch)


def check_radii(radii: Sequence[float]) -> None:
    """Raise ValueError unless the radii of the levels are positive and increase."""
    if any(coarse <= fine for fine, coarse in pairwise([0.0, *radii])):
        raise ValueError(f"expected increasing radii above 0, got {list(radii)}")


def barycentres(pos: Tensor, centres: Tensor, table: Tensor, cutoff: float) -> Tensor:
    r"""Mean of the neighbours of each centre, weighted by their distance from it (barycentres as in KPConv, arXiv
    1904.08889, section 3.3, but without a grid):

    .. math:: \frac{\sum_j e(|x_j - c| / r)\, x_j}{\sum_j e(|x_j - c| / r)}.

    The envelope e reaches zero at r, the cut-off or the farthest neighbour if that is nearer, so that the choice
    among points at equal distances in the table does not matter.

    Args:
        pos: (N, d). centres: (M, d), each one of the points. table: (M, k) their neighbours, rows of pos.
        cutoff: the largest r.
    """
    edge = pos.index_select(0, table.flatten()).view(*table.shape, pos.shape[1]) - centres.unsqueeze(1)
    length = edge.norm(dim=-1)
    farthest = length.amax(-1, keepdim=True).clamp(max=cutoff)
    weight = envelope(length / torch.where(farthest > 0, farthest, cutoff)).unsqueeze(-1)
    return centres + (weight * edge).sum(1) / weight.sum(1)


def table_edges(table: Tensor) -> Tensor:
    """A neighbour table (M, k) as edges (2, M k), sorted by receiver, k each."""
    receivers = torch.arange(table.shape[0], device=table.device).repeat_interleave(table.shape[1])
    return torch.stack([table.flatten(), receivers])
