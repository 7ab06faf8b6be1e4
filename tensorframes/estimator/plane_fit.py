"""The head that decides: weighted least-squares planes, their weights and their prior given by the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from tensorframes.estimator.degenerate import RANK, fall_back
from tensorframes.estimator.heads import AxisHead, mean_of
from tensorframes.frames import Frames
from tensorframes.geometry import Hierarchy, knn
from tensorframes.layers import MLP, smallest_eigenvector
from tensorframes.reps import Representation, full_precision

CHUNK = {"cpu": 1024}  # points fitted at once outside training: what they take stays in the cache
LARGEST_CHUNK = 16384  # on other devices: bounds memory


class PlaneFitHead(nn.Module):
    r"""Planes through the neighbours, each neighbour weighed by the network, from its own guess to a normal.

    The guess (``AxisHead``) is corrected by one ``PlaneFit`` after the other, each starting from the normal before.
    After Lenssen et al. (CVPR 2020: iterated weights for a least-squares plane), with the prior and the coarse
    neighbours added.

    The neighbours are the nearest points and, so that noise can be averaged over more than those, the nearest points of
    coarser levels. Where they lie on a line the plane comes from four times the neighbours, then from the whole cloud;
    if that is a line too, the answer is "no normal", zeros.

    Args:
        reps: of the features.
        neighbours: for each level (0, 1, ...) how many of its points are fitted; 0 for none.
        fits: how many planes are fitted in turn.
        hidden: width of the network that weighs them.
        told: numbers the network tells of each point.
    """

    def __init__(
        self,
        reps: Representation,
        neighbours: Sequence[int] = (18, 12, 12, 12),
        fits: int = 1,
        hidden: int = 32,
        told: int = 16,
    ) -> None:
        super().__init__()
        if not neighbours or neighbours[0] < 3 or min(neighbours) < 0:
            raise ValueError(f"expected at least 3 neighbours at level 0 and none below 0, got {list(neighbours)}")
        if min(fits, hidden // 2, told) < 1:
            raise ValueError(f"expected fits >= 1, hidden >= 2 and told >= 1, got {fits}, {hidden} and {told}")
        self.neighbours = tuple(neighbours)
        self.guess = AxisHead(reps, len(self.neighbours))
        self.tell = MLP([reps.dim, reps.dim, told + fits], norm="layer")
        self.fits = nn.ModuleList(PlaneFit(len(self.neighbours), hidden, told) for _ in range(fits))

    def plan(self, hierarchy: Hierarchy, rows: Tensor) -> tuple[Neighbourhoods, Any]:
        """The neighbours of the rows (M,), and what the guess at all points needs."""
        everyone = torch.arange(hierarchy.points, device=rows.device)
        return neighbourhoods(hierarchy, rows, self.neighbours), self.guess.plan(hierarchy, everyone)

    def read(self, x: Tensor, frames: Frames, plan: tuple[Neighbourhoods, Any]) -> tuple[Tensor, Tensor]:
        """Tensors of the guess (N, 3, 3), and what the network tells of each point (N, told + fits), at all points."""
        return self.guess.read(x, frames, plan[1]), self.tell(x)

    def forward(
        self, readings: Sequence[tuple[Tensor, Tensor]], plan: tuple[Neighbourhoods, Any]
    ) -> tuple[Tensor, Tensor]:
        """Normals (M, 3) of the rows planned for, and what they were corrected from (fits, M, 3)."""
        near, planes = plan
        guess, _ = self.guess([tensor for tensor, _ in readings], planes)
        told = mean_of([told for _, told in readings])
        parts = [near] if self.training else near.split(CHUNK.get(near.edge.device.type, LARGEST_CHUNK))
        fitted = [self._fit(part, guess, told) for part in parts]
        steps = torch.cat([steps for steps, _ in fitted], dim=1)
        failed = torch.cat([failed for _, failed in fitted])
        return fall_back(steps[-1], failed, near.rows, near.hierarchy, sum(self.neighbours)), steps[:-1]

    def _fit(self, near: Neighbourhoods, guess: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """Guess and normals (fits + 1, M, 3), and which rows (M,) lie on lines."""
        count = len(self.fits)
        priors, told = told[:, -count:].index_select(0, near.rows), told[:, :-count]
        sights = guess.detach().index_select(0, near.table.flatten()).view_as(near.edge)
        steps, values = [guess.index_select(0, near.rows)], None
        for fit, prior in zip(self.fits, priors.unbind(-1), strict=True):
            normal, values = fit(near, sights, steps[-1], values, prior, told)
            steps.append(normal)
        return torch.stack(steps), values[:, 1] <= RANK * values[:, 2]


@dataclass(frozen=True)
class Neighbourhoods:
    """The points that planes are fitted to."""

    hierarchy: Hierarchy
    rows: Tensor  # (M,) whose planes
    table: Tensor  # (M, K) rows of level 0 that the fitted points belong to
    edge: Tensor  # (M, K, 3) from the point to where these are
    kind: Tensor  # (K,) level of each column

    def split(self, size: int) -> list[Neighbourhoods]:
        """Parts of at most ``size`` rows."""
        parts = zip(self.rows.split(size), self.table.split(size), self.edge.split(size), strict=True)
        return [replace(self, rows=rows, table=table, edge=edge) for rows, table, edge in parts]


def neighbourhoods(hierarchy: Hierarchy, rows: Tensor, counts: Sequence[int]) -> Neighbourhoods:
    """For each of the rows (M,) the nearest ``counts[l]`` points of each level l that there is."""
    fine = hierarchy.levels[0]
    query, query_batch = fine.pos[rows], fine.batch[rows]
    tables, edges, kinds = [], [], []
    for kind, (count, level) in enumerate(zip(counts, hierarchy.levels, strict=False)):
        if count:
            if kind == 0 and count <= level.neighbours.shape[1]:
                found = level.neighbours[rows, :count]
            else:
                found = knn(level.pos, count, query=query, batch=level.batch, query_batch=query_batch)
            tables.append(level.rows[found])
            edges.append(
                level.pos.index_select(0, found.flatten()).view(*found.shape, query.shape[-1]) - query.unsqueeze(1)
            )
            kinds += [kind] * count
    kind_of = torch.tensor(kinds, device=rows.device)
    return Neighbourhoods(hierarchy, rows, torch.cat(tables, dim=1), torch.cat(edges, dim=1), kind_of)


class PlaneFit(nn.Module):
    r"""One weighted least-squares plane with a prior.

    With :math:`\bar r = \sum_j w_{ij} r_{ij} / \sum_j w_{ij}`, the normal is the eigenvector of the smallest eigenvalue
    of

    .. math:: C_i = \frac{\sum_j w_{ij} (r_{ij} - \bar r)(r_{ij} - \bar r)^T}{\sum_j w_{ij}}
        + e^{b_i} \kappa_i\, (I - g_i g_i^T), \qquad \kappa_i = \det C_i^0 / \operatorname{tr} \operatorname{adj} C_i^0,

    :math:`C^0` the first term and g the normal before. kappa is about the smallest eigenvalue of :math:`C^0`: the
    residual of the fit sets how much the prior is worth, so that points in a plane give the plane's normal whatever the
    network says. Weights are sigmoids of invariants: :math:`|r_{ij}|`, the heights :math:`|g_i \cdot r_{ij}|` and
    :math:`|g_j \cdot r_{ij}|`, :math:`(g_i \cdot g_j)^2`, the shape of the fit before (its eigenvalues' ratios), and
    what the network tells of i and j. They fall off with the distance from the start, and coarse levels start low:
    untrained, it is close to a plane through the nearest points.
    """

    def __init__(self, levels: int, hidden: int, told: int) -> None:
        super().__init__()
        self.receiver = nn.Linear(told + 2, hidden)
        self.sender = nn.Linear(told, hidden, bias=False)
        self.geometry = nn.Linear(5, hidden, bias=False)
        self.level = nn.Parameter(torch.zeros(levels, hidden))
        self.weigh = nn.Sequential(nn.SiLU(), nn.Linear(hidden, hidden // 2), nn.SiLU(), nn.Linear(hidden // 2, 1))
        self.level_bias = nn.Parameter(torch.tensor([2.0] + [-3.0] * (levels - 1)))
        self.narrowness = nn.Parameter(torch.full((levels,), 2.0))

    def forward(
        self,
        near: Neighbourhoods,
        sights: Tensor,
        before: Tensor,
        values: Tensor | None,
        prior: Tensor,
        told: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Normals (M, 3), toward the ones before, and eigenvalues (M, 3), ascending.

        Args:
            near: which points are fitted. sights: (M, K, 3) guesses at these.
            before: (M, 3) normals before. values: (M, 3) eigenvalues of the fit before, if there was one.
            prior: (M,) b. told: (N, T) of every point.
        """
        edge, kind, table = near.edge, near.kind, near.table
        shape = edge.new_zeros(len(near.rows), 2) if values is None else _shape(values)
        receivers = self.receiver(torch.cat([told.index_select(0, near.rows), shape], dim=-1))
        senders = self.sender(told).index_select(0, table.flatten()).view(*table.shape, receivers.shape[-1])
        invariants = _invariants(edge, sights, before.detach(), kind)
        hidden = self.geometry(invariants) + senders + receivers.unsqueeze(1) + self.level[kind]
        start = self.level_bias[kind] - self.narrowness[kind] * invariants[..., 0].square()
        weight = (self.weigh(hidden).squeeze(-1) + start).sigmoid() + 1e-4
        fit = weighted_covariance(edge, weight)
        strength = prior.clamp(-8, 6).exp() * residual(fit)
        eye = torch.eye(3, dtype=edge.dtype, device=edge.device)
        total = fit + strength.view(-1, 1, 1) * (eye - before.unsqueeze(-1) * before.unsqueeze(-2))
        normal, values = smallest_eigenvector(total)
        return normal * torch.where((normal * before).sum(-1, keepdim=True) < 0, -1, 1), values


def _shape(values: Tensor) -> Tensor:
    """Square roots of the two smaller eigenvalues over the largest (M, 2): how thick and wide the fit before was."""
    largest = values[:, 2:]
    return (values[:, :2].clamp_min(0) / torch.where(largest > 0, largest, torch.ones_like(largest))).sqrt()


@full_precision
def _invariants(edge: Tensor, sights: Tensor, own: Tensor, kind: Tensor) -> Tensor:
    """Five invariants of each edge (M, K, 3): distance, reach, two heights, agreement of the normals at its ends."""
    length = edge.norm(dim=-1)
    reach = _reach(length, kind)
    heights = [(edge @ own.unsqueeze(-1)).squeeze(-1), (edge * sights).sum(-1)]
    agreement = (sights @ own.unsqueeze(-1)).squeeze(-1).square()
    return torch.stack(
        [length / reach, reach.log1p(), *(height.abs() / reach for height in heights), agreement], dim=-1
    )


@full_precision
def weighted_covariance(edge: Tensor, weight: Tensor) -> Tensor:
    """Covariance (M, d, d) of edges (M, K, d) about their mean, with weights (M, K) that need not sum to one."""
    share = (weight / weight.sum(-1, keepdim=True)).unsqueeze(-1)
    centred = edge - (share * edge).sum(1, keepdim=True)
    return (share * centred).transpose(1, 2) @ centred


def residual(covariance: Tensor) -> Tensor:
    r"""det C / tr adj C = 1 / tr C^{-1} (M,): a third of the smallest eigenvalue up to all of it; 0 where singular."""
    a, b, c = covariance.unbind(-1)
    minors = torch.linalg.cross(b, c)
    determinant = (a * minors).sum(-1)
    trace = covariance.diagonal(dim1=-2, dim2=-1).sum(-1)
    second = (trace.square() - (covariance * covariance).sum((-2, -1))) / 2
    usable = (second > RANK * trace.square()) & (determinant > 0)
    return torch.where(usable, determinant, 0) / torch.where(usable, second, torch.ones_like(second))


def _reach(length: Tensor, kind: Tensor) -> Tensor:
    """The longest edge of each level's neighbours, for each edge (M, K), kept positive."""
    reach = torch.ones_like(length)
    for value in kind.unique().tolist():
        mask = kind == value
        longest = length[:, mask].amax(-1, keepdim=True)
        reach[:, mask] = torch.where(longest > 0, longest, torch.ones_like(longest)).expand(-1, int(mask.sum()))
    return reach
