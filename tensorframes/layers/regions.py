"""Moments of the points that each coarse point stands for: planes of wide neighbourhoods, through all their points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from tensorframes.geometry import Hierarchy, knn
from tensorframes.geometry.eigen import eigvalsh
from tensorframes.layers.moments import normalised_adjugate
from tensorframes.parallel import parallel_map
from tensorframes.reps import full_precision

PART = {"cpu": 16384}  # planes found at once: what they take stays in the cache
LARGEST_PART = 262144  # on other devices: bounds memory
LEAST = 1e-6  # variance below which a region is a point, in squared units of the scale


@dataclass(frozen=True)
class Regions:
    """The points of level 0 that each of the N_l points of a level stands for, shared out among these."""

    count: Tensor  # (N_l,) a real number, since a point has shares in three regions
    mean: Tensor  # (N_l, 3)
    covariance: Tensor | None  # (N_l, 3, 3); None of points, which have none

    def to(self, dtype: torch.dtype) -> Regions:
        """The same in another precision."""
        covariance = None if self.covariance is None else self.covariance.to(dtype)
        return Regions(self.count.to(dtype), self.mean.to(dtype), covariance)


@dataclass(frozen=True)
class WidePlanes:
    """Planes of S wide neighbourhoods of N points, and what is known of each."""

    planes: Tensor  # (N, S, 3, 3) symmetric: n n^T where they are clear
    shape: Tensor  # (N, S, 3) square roots of the two smaller eigenvalues over the largest; its logarithm over 4; of
    # near planes (N, S, 4), the logarithm of the smallest over 4, too

    def to(self, dtype: torch.dtype) -> WidePlanes:
        """The same in another precision."""
        return WidePlanes(self.planes.to(dtype), self.shape.to(dtype))

    def of(self, rows: Tensor) -> WidePlanes:
        """Those of some rows (M,)."""
        return WidePlanes(self.planes.index_select(0, rows), self.shape.index_select(0, rows))

    def split(self, size: int) -> list[WidePlanes]:
        """Parts of at most ``size`` points."""
        parts = zip(self.planes.split(size), self.shape.split(size), strict=True)
        return [WidePlanes(planes, shape) for planes, shape in parts]


@full_precision
def inverse_square_shares(hierarchy: Hierarchy, finer: int, epsilon: float = 1e-3) -> Tensor:
    """(N_l, 3) what the points of level l = ``finer`` take of each of the coarse points above them, summing to 1: by
    the inverse squared distance, as in ``FrameInterpolation``."""
    table, coarse, fine = hierarchy.above[finer], hierarchy.levels[finer + 1].pos, hierarchy.levels[finer].pos
    square = (coarse.index_select(0, table.flatten()).view(*table.shape, -1) - fine.unsqueeze(1)).square().sum(-1)
    weight = 1 / (square + epsilon)
    return weight / weight.sum(-1, keepdim=True)


def regions_of_levels(hierarchy: Hierarchy) -> list[Regions]:
    """The regions of levels 1, 2, ...: every point gives its own region to those above it, share by share.

    Counts, means and covariances of what is joined are exact, so a covariance over many regions is that of all their
    points: noise that is wider than the coarse points are apart still averages out.
    """
    pos = hierarchy.levels[0].pos
    found = [Regions(torch.ones_like(pos[:, 0]), pos, None)]
    for depth in range(len(hierarchy.above)):
        found.append(hierarchy.once(("regions", depth + 1), partial(_joined, hierarchy, depth, found[-1])))
    return found[1:]


@full_precision
def _joined(hierarchy: Hierarchy, depth: int, finer: Regions) -> Regions:
    """The regions of level ``depth`` + 1 from those of level ``depth``."""
    table, coarse = hierarchy.above[depth].flatten(), hierarchy.levels[depth + 1].pos
    share = inverse_square_shares(hierarchy, depth)
    given = (share * finer.count.unsqueeze(-1)).flatten()
    giver = torch.arange(len(share), device=table.device).repeat_interleave(share.shape[1])
    count = coarse.new_zeros(len(coarse)).index_add(0, table, given)
    part = given / torch.where(count > 0, count, torch.ones_like(count)).index_select(0, table)
    edge = finer.mean.index_select(0, giver) - coarse.index_select(0, table)
    shift = torch.zeros_like(coarse).index_add(0, table, part.unsqueeze(-1) * edge)
    off = edge - shift.index_select(0, table)
    square = off.unsqueeze(-1) * off.unsqueeze(-2)
    if finer.covariance is not None:
        square = finer.covariance.index_select(0, giver) + square
    gathered = (part.view(-1, 1, 1) * square).flatten(1)
    covariance = coarse.new_zeros(len(coarse), gathered.shape[1]).index_add(0, table, gathered)
    return Regions(count, coarse + shift, covariance.view(len(coarse), *square.shape[1:]))


@full_precision
def covariances_around(pos: Tensor, table: Tensor, regions: Regions, sizes: Sequence[int]) -> list[Tensor]:
    r"""Covariances (M, 3, 3) of the points that the first so many regions in each row of a table (M, K), nearest first,
    stand for, one for each of the sizes, at most K:

    .. math:: C = \sum_j w_j (C_j + (m_j - \bar m)(m_j - \bar m)^T), \quad \bar m = \sum_j w_j m_j, \quad
        w_j \propto n_j \left(1 - |m_j - x|^2 / r^2\right)^2,

    with r the distance from x (M, 3) to the farthest of them. A region that is repeated counts once.
    """
    flat = table.flatten()
    edge = regions.mean.index_select(0, flat).view(*table.shape, -1) - pos.unsqueeze(1)
    square = edge.square().sum(-1)
    again = table == table[:, :1]
    again[:, 0] = False
    counted, inner = None, None
    if regions.covariance is not None:
        counted = regions.count.index_select(0, flat).view(table.shape)
        inner = regions.covariance.flatten(1).index_select(0, flat).view(*table.shape, -1)
    found = []
    for size in sizes:
        farthest = square[:, :size].amax(-1, keepdim=True)
        fade = (1 - square[:, :size] / torch.where(farthest > 0, farthest, torch.ones_like(farthest))).square()
        fade = torch.where(fade.sum(-1, keepdim=True) > 0, fade, torch.ones_like(fade))
        weight = (fade if counted is None else fade * counted[:, :size]).masked_fill(again[:, :size], 0)
        total = weight.sum(-1, keepdim=True)
        weight = (weight / torch.where(total > 0, total, torch.ones_like(total))).unsqueeze(-1)
        off = edge[:, :size] - (weight * edge[:, :size]).sum(1, keepdim=True)
        covariance = (weight * off).transpose(1, 2) @ off
        if inner is not None:
            covariance = covariance + (weight.transpose(1, 2) @ inner[:, :size]).view_as(covariance)
        found.append(covariance)
    return found


def checked_counts(
    counts: Sequence[Sequence[int]], levels: int | None = None, kind: str = "wide"
) -> tuple[tuple[int, ...], ...]:
    """What ``wide_planes`` and ``near_planes`` ask for, as tuples.

    Raises:
        ValueError: no plane is asked for, one of no region, what is no list for each level, or more than ``levels``.
    """
    if not all(isinstance(sizes, Sequence) and all(isinstance(size, int) for size in sizes) for sizes in counts):
        raise ValueError(f"expected a list of counts for each level, got {counts}")
    found = tuple(tuple(sizes) for sizes in counts)
    if not any(found) or min(size for sizes in found for size in sizes) < 1:
        raise ValueError(f"expected counts >= 1 of regions for {kind} planes, got {[list(sizes) for sizes in found]}")
    if levels is not None and len(found) > levels:
        which = "coarse levels" if kind == "wide" else "levels"
        raise ValueError(f"expected {kind} planes of at most {levels} {which}, got {len(found)}")
    return found


def wide_planes(hierarchy: Hierarchy, counts: Sequence[Sequence[int]]) -> WidePlanes:
    """Planes of all the points around the points of level 1.

    Args:
        hierarchy: N points at level 1. counts: for level 1, 2, ... of how many of its regions the neighbourhoods are
            made, a plane each.
    """
    return planes_around(hierarchy, 1, checked_counts(counts, len(hierarchy.above)))


def near_planes(hierarchy: Hierarchy, counts: Sequence[Sequence[int]]) -> WidePlanes:
    """Planes of all the points around the points of level 0, by the same formula.

    Args:
        hierarchy: N points at level 0. counts: for level 0, 1, ... of how many of its points or regions the
            neighbourhoods are made, a plane each.
    """
    return planes_around(hierarchy, 0, checked_counts(counts, len(hierarchy.levels), "near"))


def planes_around(hierarchy: Hierarchy, depth: int, counts: tuple[tuple[int, ...], ...]) -> WidePlanes:
    """Planes around the points of level ``depth``, of regions of this level and those above it; found once."""
    find = partial(_planes_around, hierarchy, depth, counts)
    found: WidePlanes = hierarchy.once(("planes", depth, counts), find)
    return found


def _planes_around(hierarchy: Hierarchy, depth: int, counts: Sequence[Sequence[int]]) -> WidePlanes:
    centres, pos = hierarchy.levels[depth].pos, hierarchy.levels[0].pos
    points = Regions(torch.ones_like(pos[:, 0]), pos, None)
    regions = [points, *regions_of_levels(hierarchy)]
    asked = [(level, regions[level], sizes) for level, sizes in enumerate(counts, start=depth) if sizes]
    tables = [around(hierarchy, level, each, depth, max(sizes)) for level, each, sizes in asked]

    def found(part: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        covariances = []
        for (_, each, sizes), table in zip(asked, part[1:], strict=True):
            covariances += covariances_around(part[0], table, each, sizes)
        covariance = torch.stack(covariances, dim=1)
        values = eigvalsh(covariance).clamp_min(0)
        largest = values[..., 2:]
        ratios = (values[..., :2] / torch.where(largest > 0, largest, torch.ones_like(largest))).sqrt()
        logarithms = (values[..., [2, 0]] if depth == 0 else largest).add(LEAST).log() / 4
        planes = normalised_adjugate(covariance.flatten(0, 1)).view_as(covariance)
        return planes, torch.cat([ratios, logarithms], dim=-1)

    most = max(1, PART.get(pos.device.type, LARGEST_PART) // sum(len(sizes) for _, _, sizes in asked))
    parts = zip(*(each.split(most) for each in (centres, *tables)), strict=True)
    planes, shapes = zip(*parallel_map(found, list(parts), pos.device), strict=True)
    return WidePlanes(torch.cat(planes), torch.cat(shapes))


def around(hierarchy: Hierarchy, level: int, regions: Regions, depth: int, count: int) -> Tensor:
    """(M, count) the regions of a level whose means are nearest to each of the points of level ``depth``."""
    centres, known = hierarchy.levels[depth], hierarchy.known
    if level == depth == 0 and known.shape[1] >= count:
        return known[:, :count]
    batch = hierarchy.levels[level].batch
    find = partial(knn, regions.mean, count, query=centres.pos, batch=batch, query_batch=centres.batch)
    found: Tensor = hierarchy.once(("around", level, depth, count), find)
    return found


def brought(wide: WidePlanes, hierarchy: Hierarchy) -> WidePlanes:
    """From the points of level 1 to those of level 0, as tensors and invariants are interpolated."""
    table, share = hierarchy.above[0], inverse_square_shares(hierarchy, 0).unsqueeze(1)

    @full_precision
    def of(values: Tensor) -> Tensor:
        arrived = values.flatten(1).index_select(0, table.flatten()).view(*table.shape, -1)
        return (share @ arrived).view(len(table), *values.shape[1:])

    return WidePlanes(of(wide.planes), of(wide.shape))
