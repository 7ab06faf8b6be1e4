"""The head that decides: a weighted least-squares plane, its weights and its prior given by the network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tensorframes.estimator.degenerate import RANK, fall_back
from tensorframes.estimator.heads import VectorHead
from tensorframes.frames import Frames
from tensorframes.geometry import Hierarchy, knn
from tensorframes.layers import MLP, smallest_eigenvector
from tensorframes.reps import TensorReps

CHUNK = 16384  # points fitted at once outside training: bounds memory


class PlaneFitHead(nn.Module):
    r"""A plane through the neighbours, each weighed by the network, with the network's own guess as prior.

    With :math:`\bar r = \sum_j w_{ij} r_{ij} / \sum_j w_{ij}`, the normal is the eigenvector of the smallest eigenvalue
    of

    .. math:: C_i = \frac{\sum_j w_{ij} (r_{ij} - \bar r)(r_{ij} - \bar r)^T}{\sum_j w_{ij}}
        + e^{b_i} \kappa_i\, (I - g_i g_i^T), \qquad \kappa_i = \det C_i^0 / \operatorname{tr} \operatorname{adj} C_i^0,

    :math:`C^0` the first term and g the guess (``VectorHead``). kappa is about the smallest eigenvalue of :math:`C^0`:
    the residual of the fit sets how much the prior is worth, so that points in a plane give the plane's normal whatever
    the network says. Weights are sigmoids of invariants: :math:`|r_{ij}|`, the heights :math:`|g_i \cdot r_{ij}|` and
    :math:`|g_j \cdot r_{ij}|`, :math:`(g_i \cdot g_j)^2`, and what the network tells of i and j. After Lenssen et al.
    (CVPR 2020, weights for a least-squares plane), with the prior and the coarse neighbours added.

    The neighbours are the nearest points and, so that noise can be averaged over more than those, the nearest points of
    coarser levels. Where they lie on a line the plane comes from four times the neighbours, then from the whole cloud;
    if that is a line too, the answer is "no normal", zeros.

    Args:
        reps: of the features.
        neighbours: for each level (0, 1, ...) how many of its points are fitted; 0 for none.
        hidden: width of the network that weighs them.
        told: numbers the network tells of each point.
    """

    def __init__(
        self, reps: TensorReps, neighbours: Sequence[int] = (18, 12, 12, 12), hidden: int = 32, told: int = 16
    ) -> None:
        super().__init__()
        if not neighbours or neighbours[0] < 3:
            raise ValueError(f"expected at least 3 neighbours at level 0, got {tuple(neighbours)}")
        self.neighbours = tuple(neighbours)
        self.guess = VectorHead(reps)
        self.tell = MLP([reps.dim, reps.dim, told + 1], norm=True)
        self.receiver = nn.Linear(told, hidden)
        self.sender = nn.Linear(told, hidden, bias=False)
        self.geometry = nn.Linear(5, hidden, bias=False)
        self.level = nn.Parameter(torch.zeros(len(self.neighbours), hidden))
        self.weigh = nn.Sequential(nn.SiLU(), nn.Linear(hidden, hidden // 2), nn.SiLU(), nn.Linear(hidden // 2, 1))
        self.level_bias = nn.Parameter(torch.tensor([2.0] + [-3.0] * (len(self.neighbours) - 1)))
        self.narrowness = nn.Parameter(torch.full((len(self.neighbours),), 2.0))

    def forward(self, x: Tensor, hierarchy: Hierarchy, frames: Frames, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Normals and first guesses (M, 3) of the rows (M,), from features x (N, reps.dim) in frames."""
        everyone = torch.arange(len(x), device=x.device)
        guess, _ = self.guess(x, hierarchy, frames, everyone)
        told = self.tell(x)
        told, prior = told[:, :-1], told[:, -1]
        parts = rows.split(CHUNK) if not self.training else [rows]
        fits = [self._fit(part, hierarchy, guess, told, prior) for part in parts]
        return torch.cat(fits) if fits else guess[:0], guess.index_select(0, rows)

    def _fit(self, rows: Tensor, hierarchy: Hierarchy, guess: Tensor, told: Tensor, prior: Tensor) -> Tensor:
        pos = hierarchy.levels[0].pos
        table, kind = self._table(rows, hierarchy)
        edge = pos.index_select(0, table.flatten()).view(*table.shape, -1) - pos[rows].unsqueeze(1)  # (M, K, 3)
        weight = self._weights(edge, rows, table, kind, guess.detach(), told)
        fit = weighted_covariance(edge, weight)
        g = guess.index_select(0, rows)
        eye = torch.eye(3, dtype=g.dtype, device=g.device)
        strength = prior.index_select(0, rows).clamp(-8, 6).exp() * residual(fit)
        total = fit + strength.view(-1, 1, 1) * (eye - g.unsqueeze(-1) * g.unsqueeze(-2))
        normal, values = smallest_eigenvector(total)
        sign = torch.where((normal * g).sum(-1, keepdim=True) < 0, -1, 1)
        return fall_back(normal * sign, values[:, 1] <= RANK * values[:, 2], rows, hierarchy, sum(self.neighbours))

    def _table(self, rows: Tensor, hierarchy: Hierarchy) -> tuple[Tensor, Tensor]:
        """Rows of level 0 fitted for each point (M, K), and the level of each column (K,)."""
        fine = hierarchy.levels[0]
        query, query_batch = fine.pos[rows], fine.batch[rows]
        tables, kinds = [], []
        for kind, (count, level) in enumerate(zip(self.neighbours, hierarchy.levels, strict=False)):
            if count:
                found = knn(level.pos, count, query=query, batch=level.batch, query_batch=query_batch)
                tables.append(level.rows[found])
                kinds += [kind] * count
        return torch.cat(tables, dim=1), torch.tensor(kinds, device=rows.device)

    def _weights(self, edge: Tensor, rows: Tensor, table: Tensor, kind: Tensor, guess: Tensor, told: Tensor) -> Tensor:
        """Weights (M, K) in (0, 1) of edges (M, K, 3)."""
        own, other = guess[rows].unsqueeze(1), guess.index_select(0, table.flatten()).view_as(edge)
        length = edge.norm(dim=-1)
        reach = _reach(length, kind)
        invariants = torch.stack(
            [
                length / reach,
                reach.log1p(),
                (edge * own).sum(-1).abs() / reach,
                (edge * other).sum(-1).abs() / reach,
                (own * other).sum(-1).square(),
            ],
            dim=-1,
        )
        sent = self.sender(told).index_select(0, table.flatten()).view(*table.shape, -1)
        hidden = self.geometry(invariants) + sent + self.receiver(told)[rows].unsqueeze(1) + self.level[kind]
        start = self.level_bias[kind] - self.narrowness[kind] * invariants[..., 0].square()
        logit = self.weigh(hidden).squeeze(-1) + start
        return logit.sigmoid() + 1e-4


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
