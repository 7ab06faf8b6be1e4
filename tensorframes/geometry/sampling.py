"""Fewer points, chosen by distances alone: whatever turns, mirrors or reorders a cloud, the same points survive."""

import torch
from torch import Tensor

from tensorframes.geometry.checks import check_batch, check_points, per_cloud
from tensorframes.geometry.distances import distinct_points, lower_corner, squared_distance, to_double
from tensorframes.geometry.grid import Grid, independent_width
from tensorframes.geometry.ragged import enumerate_ranges, pieces_by_total
from tensorframes.geometry.scale import cloud_scale, distinct_distances

ROUNDS = 32
OPEN, KEPT, DROPPED = 0, 1, 2


@torch.no_grad()
def intrinsic_priority(pos: Tensor, batch: Tensor | None = None, scale: Tensor | None = None, k: int = 8) -> Tensor:
    """A pseudo-random number in [-1, 1] for every point, (N,) float64, that depends on distances alone."""
    check_points(pos)
    batch = check_batch(batch, pos)
    lengths = cloud_scale(pos, batch) if scale is None else scale
    distance = distinct_distances(pos, k, batch) / lengths.double()[batch][:, None]
    weight = torch.sqrt(torch.arange(2, k + 2, dtype=torch.float64, device=pos.device))
    return torch.sin(10.0 * (distance * weight).sum(1))


class _Selection:
    """The state of all distinct points of a cloud while an independent set grows."""

    def __init__(self, points: Tensor, batch: Tensor, radius: Tensor, rank: Tensor) -> None:
        width, reach = independent_width(radius, points.shape[1])
        grid = Grid(points, batch, width)
        self.points, self.limit = points, radius.square()[batch]
        self.rank, self.ranks = rank, int(rank.max()) + 1
        self.cell, self.cells = grid.cell, len(grid.count)
        self.near = grid.neighbours(reach)
        self.state = torch.full_like(rank, OPEN)

    def round(self) -> None:
        """Keep every open point that no open point within the radius outranks; drop the open points around it."""
        key = self.cell * self.ranks + self.rank
        is_open = (self.state == OPEN).nonzero().squeeze(1)
        key, order = torch.sort(key[is_open])
        order = is_open[order]
        cells = torch.arange(self.cells + 1, device=key.device)
        ends = torch.searchsorted(key, cells * self.ranks)
        some = ends.diff() > 0
        self.near = self.near[:, some[self.near[0]] & some[self.near[1]]]
        best = torch.where(some, self.rank[order[(ends[1:] - 1).clamp(min=0)]], -1)
        # All points of a cell are within the radius of each other: only its best can win.
        first = torch.searchsorted(key, cells[:-1] * self.ranks + best)
        candidates = (order, first, ends[1:] - first)
        own, other = self.near[:, best[self.near[1]] > best[self.near[0]]]
        above = torch.searchsorted(key, other * self.ranks + best[own], right=True)
        beaten = self._within(candidates, own, order, above, ends[other + 1] - above)[0]
        won = order[self.rank[order] == best[self.cell[order]]]
        self.state[won] = KEPT
        self.state[beaten] = OPEN
        self._drop_around(won[self.state[won] == KEPT], order, ends)

    def _drop_around(self, won: Tensor, order: Tensor, ends: Tensor) -> None:
        won = won[torch.sort(self.cell[won]).indices]
        count = torch.bincount(self.cell[won], minlength=self.cells)
        own, other = self.near[:, count[self.near[0]] > 0]
        lost = self._within((won, count.cumsum(0) - count, count), own, order, ends[other], ends.diff()[other])[1]
        self.state[lost[self.state[lost] == OPEN]] = DROPPED

    def _within(
        self, left: tuple[Tensor, Tensor, Tensor], own: Tensor, order: Tensor, start: Tensor, count: Tensor
    ) -> tuple[Tensor, Tensor]:
        """All (p, q) within the radius: p in the list of cell own[l], q in order[start[l] : start[l] + count[l]]."""
        list_, list_start, list_count = left
        found = []
        for part in pieces_by_total(list_count[own] * count):
            line, at = enumerate_ranges(list_start[own[part]], list_count[own[part]])
            p = list_[at]
            line, at = enumerate_ranges(start[part][line], count[part][line])
            p, q = p[line], order[at]
            near = squared_distance(self.points[p], self.points[q]) <= self.limit[p]
            found.append((p[near], q[near]))
        empty = own[:0]
        return torch.cat([empty, *(p for p, _ in found)]), torch.cat([empty, *(q for _, q in found)])


@torch.no_grad()
def independent_set(
    pos: Tensor, radius: Tensor | float, batch: Tensor | None = None, priority: Tensor | None = None
) -> Tensor:
    """Rows (S,), ascending, of a maximal independent set of the radius graph; points with equal priority both survive."""
    check_points(pos)
    batch = check_batch(batch, pos)
    lengths = per_cloud(radius, batch, "radius")
    if priority is None:
        priority = intrinsic_priority(pos, batch)
    if len(pos) == 0:
        return torch.empty(0, dtype=torch.long, device=pos.device)
    groups = distinct_points(pos, batch)
    rank = torch.unique(priority, return_inverse=True)[1]
    top = rank.new_zeros(len(groups.first)).scatter_reduce(0, groups.index, rank, "amax")
    points = to_double(pos, lower_corner(pos))[groups.first]
    selection = _Selection(points, batch[groups.first], lengths, top)
    for _ in range(ROUNDS):
        if not bool((selection.state == OPEN).any()):
            break
        selection.round()
    survives = selection.state != DROPPED
    return (survives[groups.index] & (rank == top[groups.index])).nonzero().squeeze(1)
