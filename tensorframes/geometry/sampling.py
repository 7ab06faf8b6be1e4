"""Order-free sampling: points selected by distances alone, the same ones for a rotated, reflected or reordered cloud.

The sample is a maximal independent set of the radius graph: no two of its points are within the radius, and every point
has one of them within it. A priority, itself a function of distances, decides which: in the order of priority, each
point that is not excluded yet is selected and excludes those around it. On a CPU this is done one by one, elsewhere in
rounds as by Luby (1986), *A simple parallel algorithm for the maximal independent set problem*, with fixed priorities.
The result is the same (Blelloch, Fineman, Shun 2012, *Greedy sequential maximal independent set and matching are
parallel on average*, arXiv 1202.3205).
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from tensorframes.geometry.checks import check_batch, check_points, per_cloud
from tensorframes.geometry.distances import Distinct, distinct_points, squared_distance
from tensorframes.geometry.grid import Grid, independent_width
from tensorframes.geometry.kdtree import kdtree_independent_set
from tensorframes.geometry.ragged import chunks_by_total, enumerate_ranges
from tensorframes.geometry.replay import discrete
from tensorframes.geometry.scale import distinct_distances, table_distances
from tensorframes.parallel import one_thread

ROUNDS = 32  # clouds of 100,000 points need 4 to 8
GOLDEN_ANGLE = 2.4
OPEN, SELECTED, EXCLUDED = 0, 1, 2


@torch.no_grad()
def intrinsic_priority(pos: Tensor, batch: Tensor | None = None, k: int = 8, table: Tensor | None = None) -> Tensor:
    """A pseudo-random priority for every point that depends on distances alone: (N,) float64 in [-1, 1].

        p_i = sum_a cos(2.4 a) d_ia / sum_a d_ia,   d_ia the distance to the a-th nearest distinct point, a = 1 .. k

    The weights have both signs, and the sum is divided by that of the distances, so that p does not depend on density:
    the order among neighbours is close to random, and few rounds suffice. The numerator is linear in the distances,
    with weights of at most 1, so that rounding is not amplified. 0 where all points are equal.

    Args:
        pos: (N, d). batch: (N,) cloud of each point, ascending.
        k: number of neighbours. Copies of a point have its priority and do not count as neighbours.
        table: (N, K) neighbours of distinct points, K > k, nearest first, itself included; by default computed.
    Raises:
        ValueError: as `knn`.
    """
    check_points(pos)
    batch = check_batch(batch, pos)
    if table is None:
        distance = distinct_distances(pos, k, batch)
    else:
        distance = table_distances(pos.detach().double(), table[:, : k + 1])
    weight = torch.cos(GOLDEN_ANGLE * torch.arange(1, k + 1, dtype=torch.float64, device=pos.device))
    total = distance.sum(1)
    return (distance * weight).sum(1) / torch.where(total > 0, total, 1.0)


class _Selection:
    """The state of all distinct points during the rounds.

    Work is linear in the points however dense they are, as the radius graph is not: all points of a cell are within the
    radius of each other, so only the best of each cell is compared, and only with better points of the cells around.
    """

    def __init__(self, points: Tensor, batch: Tensor, radius: Tensor, rank: Tensor) -> None:
        width, reach = independent_width(radius, points.shape[1])
        grid = Grid(points, batch, width)
        self.points, self.limit = points, radius.square()[batch]
        self.rank, self.ranks = rank, int(rank.max()) + 1
        self.cell, self.cells = grid.cell, len(grid.count)
        self.near = grid.neighbours(reach)
        self.state = torch.full_like(rank, OPEN)

    def unfinished(self) -> bool:
        return bool((self.state == OPEN).any())

    def round(self) -> None:
        """Select every open point that no better open point beats, and exclude those around it."""
        is_open = (self.state == OPEN).nonzero().squeeze(1)
        key, order = torch.sort(self.cell[is_open] * self.ranks + self.rank[is_open])
        order = is_open[order]  # the open points, cell by cell, the best last
        cells = torch.arange(self.cells + 1, device=key.device)
        ends = torch.searchsorted(key, cells * self.ranks)
        some = ends.diff() > 0
        self.near = self.near[:, some[self.near[0]] & some[self.near[1]]]
        best = torch.where(some, self.rank[order[(ends[1:] - 1).clamp(min=0)]], -1)
        winners = self._unbeaten(key, order, ends, best)
        self.state[winners] = SELECTED
        self._drop_around(winners, order, ends)

    def _unbeaten(self, key: Tensor, order: Tensor, ends: Tensor, best: Tensor) -> Tensor:
        candidates = order[self.rank[order] == best[self.cell[order]]]
        own, other = self.near[:, best[self.near[1]] > best[self.near[0]]]
        better = torch.searchsorted(key, other * self.ranks + best[own], right=True)
        beaten = torch.zeros_like(self.state, dtype=torch.bool)
        for point, _ in self._within(candidates, own, order, better, ends[other + 1] - better):
            beaten[point] = True
        return candidates[~beaten[candidates]]

    def _drop_around(self, winners: Tensor, order: Tensor, ends: Tensor) -> None:
        has_winner = torch.zeros_like(ends[1:], dtype=torch.bool)
        has_winner[self.cell[winners]] = True
        own, other = self.near[:, has_winner[self.near[0]]]
        for winner, point in self._within(winners, own, order, ends[other], ends.diff()[other]):
            lower = (self.rank[point] < self.rank[winner]) & (self.state[point] == OPEN)
            self.state[point[lower]] = EXCLUDED

    def _within(
        self, points: Tensor, own: Tensor, order: Tensor, start: Tensor, count: Tensor
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Pairs (p, q) within the radius, in chunks.

        p: all of `points` (ascending by cell) in the cell own[l]; q: order[start[l] : start[l] + count[l]].
        """
        many = torch.bincount(self.cell[points], minlength=self.cells)
        first = many.cumsum(0) - many
        for part in chunks_by_total(many[own] * count):
            line, at = enumerate_ranges(first[own[part]], many[own[part]])
            p = points[at]
            line, at = enumerate_ranges(start[part][line], count[part][line])
            p, q = p[line], order[at]
            near = squared_distance(self.points[p], self.points[q]) <= self.limit[p]
            yield p[near], q[near]


def _ranks(priority: Tensor | None, pos: Tensor, batch: Tensor, groups: Distinct) -> tuple[Tensor, Tensor]:
    """Priorities as whole numbers, equal ones equal: of every row (N,), and the best of each distinct point (U,)."""
    if priority is None:
        priority = intrinsic_priority(pos, batch)
    if priority.shape != pos.shape[:1]:
        raise ValueError(f"expected priority of shape ({len(pos)},), got {tuple(priority.shape)}")
    if bool(torch.isnan(priority).any()):
        raise ValueError("expected a number as every priority, got NaN")
    rank = torch.unique(priority.detach(), return_inverse=True)[1]
    return rank, rank.new_zeros(len(groups.first)).scatter_reduce(0, groups.index, rank, "amax")


def _in_rounds(points: Tensor, batch: Tensor, radius: Tensor, rank: Tensor) -> Tensor:
    """(N,) whether each of distinct points is selected, in rounds; those still open after them one by one."""
    selection = _Selection(points, batch, radius, rank)
    for _ in range(ROUNDS):
        if not selection.unfinished():
            break
        selection.round()
    left = (selection.state == OPEN).nonzero().squeeze(1)
    if len(left):  # a long chain of increasing priority
        rest = kdtree_independent_set(points[left].cpu(), batch[left].cpu(), radius.cpu(), rank[left].cpu())
        selection.state[left[~rest.to(left.device)]] = EXCLUDED
    return selection.state != EXCLUDED


@discrete
@torch.no_grad()
def independent_set(
    pos: Tensor,
    radius: Tensor | float,
    batch: Tensor | None = None,
    priority: Tensor | None = None,
    method: str = "auto",
) -> Tensor:
    """Rows (S,) of a maximal independent set, ascending: no two within the radius of each other, and every row of pos
    within the radius of one of them.

    In each round every open point that no open point within the radius outranks is selected, and the open points of
    lower priority within the radius of it are excluded. Exact ties are both selected, as are copies of a point: only
    their order could decide. After t rounds a point's state depends on points within 2 t radius only. Points still open
    after 32 rounds, which takes a chain of 64 points of increasing priority, are processed one by one, on the CPU. On a
    CPU all points are, with the same result.

    Time and memory are linear in the points, also where the radius graph is not (half of the cloud in a tiny cluster).
    For several levels: call it on pos[rows], batch[rows] and priority[rows] with a larger radius.

    Args:
        pos: (N, d). radius: a length, or one for each cloud (B,). batch: (N,) cloud of each point, ascending.
        priority: (N,) the higher is selected; `intrinsic_priority` if None.
        method: kdtree (one by one, on the CPU), rounds, or auto: the former on a CPU, the latter elsewhere.
    Raises:
        ValueError: as `knn`; an unknown method; a radius that is not positive; a priority of the wrong shape.
    """
    if method not in ("auto", "kdtree", "rounds"):
        raise ValueError(f"expected method auto, kdtree or rounds, got {method!r}")
    check_points(pos)
    batch = check_batch(batch, pos)
    lengths = per_cloud(radius, batch, "radius")
    if len(pos) == 0:
        return torch.empty(0, dtype=torch.long, device=pos.device)
    with one_thread(pos.device):
        groups = distinct_points(pos, batch)
        rank, best = _ranks(priority, pos, batch, groups)
        points, clouds = pos.detach().double()[groups.first], batch[groups.first]
        one_by_one = pos.device.type == "cpu" if method == "auto" else method == "kdtree"
        if one_by_one:
            given = (values.cpu() for values in (points, clouds, lengths, best))
            selected = kdtree_independent_set(*given).to(pos.device)
        else:
            selected = _in_rounds(points, clouds, lengths, best)
        return (selected[groups.index] & (rank == best[groups.index])).nonzero().squeeze(1)
