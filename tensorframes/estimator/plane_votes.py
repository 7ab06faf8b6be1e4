"""Planes that a point could lie in, and how many of its neighbours lie in each: a search before the fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tensorframes.estimator.degenerate import RANK
from tensorframes.geometry import Hierarchy
from tensorframes.layers import smallest_eigenvector
from tensorframes.reps import full_precision

SIZES = (6, 10, 16)  # nearest points, the point itself among them, that a small plane is fitted to
TOLERANCES = (0.003, 0.012, 0.05, 0.2)  # heights that count as in the plane, in units of the neighbourhood's size
FLOOR = 1e-3  # heights below it are alike, in the same unit
NEAR = 12  # neighbours whose votes are also counted by themselves


@dataclass(frozen=True)
class Candidates:
    """Planes that points could lie in, and what is known of them."""

    normal: Tensor  # (N, C, 3), up to sign
    known: Tensor  # (N, C, F) invariants
    usable: Tensor  # (N, C) whether it is a plane at all


class PlaneVotes(nn.Module):
    r"""The mean of candidate planes, each weighed by how many neighbours lie in it.

    .. math:: V_i = e^{s_i} \sum_c \operatorname{softmax}_c(z_{ic})\, n_{ic} n_{ic}^T

    The candidates c of a point are the planes of its own few nearest points, and those of its neighbours: beside an
    edge some neighbour's lies within the facet that the point belongs to. The scores z are a network's, of the votes

    .. math:: \nu_t(c) = \sum_j g_{ij} \left(1 + (n_{ic} \cdot r_{ij} / \tau_t u_i)^4\right)^{-1}

    (a smooth count of inliers for each tolerance :math:`\tau_t`, as RANSAC's, Fischler and Bolles 1981, and for normals
    at edges the votes of Boulch and Marlet 2012), of the thickness and the place of the candidate, and of what the
    network tells of the point, as is s; :math:`u_i` is the root mean square distance of the nearest points.

    Args:
        told: numbers the network tells of each point. neighbours: how many neighbours' planes are candidates.
        voters: how many nearest points vote. hidden: width of the network.
    """

    def __init__(self, told: int, neighbours: int = 12, voters: int = 32, hidden: int = 16) -> None:
        super().__init__()
        self.neighbours, self.voters, self.reach = neighbours, voters, max(voters, neighbours + 1, max(SIZES))
        self.own = nn.Linear(told, hidden)
        self.candidate = nn.Linear(2 * len(TOLERANCES) + 4, hidden, bias=False)
        self.count = nn.Parameter(torch.tensor([15.0, 15.0] + [0.0] * (2 * len(TOLERANCES) - 2)))
        self.score = nn.Sequential(nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, 1))
        self.strength = nn.Linear(told, 1)
        with torch.no_grad():  # begin with little to say
            self.strength.weight *= 0.1
            self.strength.bias.fill_(0.0)

    def plan(self, hierarchy: Hierarchy, size: int) -> Candidates:
        """The candidates of all points, found in parts of ``size`` points: they depend on the geometry alone."""
        level = hierarchy.levels[0]
        table = (level.neighbours if hierarchy.near is None else hierarchy.near)[:, : self.reach]
        small = [_small_planes(level.pos, part) for part in table.split(size)]
        planes = [torch.cat(each) for each in zip(*small, strict=True)]
        rows = torch.arange(len(table), device=table.device).split(size)
        found = [self._candidates(level.pos, part, table, planes) for part in rows]
        return Candidates(*(torch.cat([getattr(each, name) for each in found]) for name in ("normal", "known", "usable")))

    def forward(self, candidates: Candidates, told: Tensor) -> Tensor:
        """V (N, 3, 3), told (N, T)."""
        hidden = self.candidate(candidates.known) + self.own(told).unsqueeze(1)
        counted = candidates.known[..., : len(self.count)] @ self.count
        score = (self.score(hidden).squeeze(-1) + counted).masked_fill(~candidates.usable, -1e4)
        share = score.softmax(-1) * candidates.usable
        strength = self.strength(told).clamp(-8, 4).exp()
        weighted = candidates.normal * (share * strength).unsqueeze(-1)
        return weighted.transpose(1, 2) @ candidates.normal

    @full_precision
    def _candidates(self, pos: Tensor, rows: Tensor, table: Tensor, planes: Sequence[Tensor]) -> Candidates:
        normal, centre, thickness, usable = planes
        near = table.index_select(0, rows)
        edge = pos.index_select(0, near.flatten()).view(*near.shape, -1) - pos.index_select(0, rows).unsqueeze(1)
        length = edge.norm(dim=-1)
        unit = length[:, : max(SIZES)].square().mean(-1, keepdim=True).sqrt()
        unit = torch.where(unit > 0, unit, torch.ones_like(unit))
        others = near[:, 1 : 1 + self.neighbours]
        flat = torch.cat([rows.unsqueeze(1), others], dim=1)
        which = torch.cat([edge.new_zeros(len(rows), 1), length[:, 1 : 1 + self.neighbours]], dim=1)

        def of(values: Tensor) -> Tensor:  # (N, S, ...) at the point and its neighbours, (M, C, ...)
            taken = values.index_select(0, flat.flatten()).view(*flat.shape, *values.shape[1:])
            return taken.flatten(1, 2)

        candidate = of(normal)
        sizes = normal.shape[1]
        away = (which / unit).repeat_interleave(sizes, dim=1)
        begin = torch.cat([torch.zeros_like(edge[:, :1]), edge[:, 1 : 1 + self.neighbours]], dim=1)
        middle = of(centre) + begin.repeat_interleave(sizes, dim=1)
        off = (candidate * middle).sum(-1).abs() / unit
        voters = edge[:, : self.voters]
        height = (candidate @ voters.transpose(1, 2)).square() / unit.square().unsqueeze(-1)
        fade = (-(length[:, : self.voters] / unit / 2).square()).exp()
        everyone = torch.stack([fade / fade.sum(-1, keepdim=True), torch.zeros_like(fade)], dim=-1)
        closest = min(NEAR, fade.shape[1])
        everyone[:, :closest, 1] = 1 / closest
        votes = [(height / tolerance**2).square().add(1).reciprocal() @ everyone for tolerance in TOLERANCES]
        kind = torch.linspace(-1, 1, sizes, dtype=pos.dtype, device=pos.device).repeat(flat.shape[1])
        known = [
            ((of(thickness) / unit + FLOOR).log() / 3 + 1),
            ((off + FLOOR).log() / 3 + 1),
            away,
            kind.expand_as(away),
        ]
        return Candidates(candidate, torch.cat([*votes, torch.stack(known, dim=-1)], dim=-1), of(usable))


@full_precision
def _small_planes(pos: Tensor, table: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of each of the SIZES: normals (M, S, 3), the middle of the points from the first one (M, S, 3), thickness (M, S),
    and whether the points lie in a plane rather than on a line or all about (M, S)."""
    around = table[:, : max(SIZES)]
    edge = pos.index_select(0, around.flatten()).view(*around.shape, -1) - pos.index_select(0, around[:, 0]).unsqueeze(1)
    covariances, middles = [], []
    for size in SIZES:
        points = edge[:, :size]
        middle = points.mean(1, keepdim=True)
        centred = points - middle
        covariances.append(centred.transpose(1, 2) @ centred / points.shape[1])
        middles.append(middle.squeeze(1))
    covariance = torch.stack(covariances, dim=1)
    normal, values = smallest_eigenvector(covariance.flatten(0, 1))
    values = values.view(*covariance.shape[:2], 3)
    usable = (values[..., 1] > RANK * values[..., 2]) & (values[..., 0] < 0.9 * values[..., 1])
    thickness = values[..., 0].clamp_min(0).sqrt()
    return normal.view(*covariance.shape[:2], 3), torch.stack(middles, dim=1), thickness, usable
