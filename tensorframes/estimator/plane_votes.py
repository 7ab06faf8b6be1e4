"""Planes that a point could lie in, and how many of its neighbours lie in each: a search before the fits."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from tensorframes.estimator.degenerate import RANK
from tensorframes.estimator.weighted_plane import joined
from tensorframes.geometry import Hierarchy
from tensorframes.layers import smallest_eigenvector
from tensorframes.reps import full_precision

SIZES = (6, 10, 16)  # nearest points, the point itself among them, that a small plane is fitted to
ROUND = 0.9  # share of the middle variance from which on the smallest is none of a plane
TOLERANCES = (0.003, 0.012, 0.05, 0.2)  # heights that count as in the plane, in units of the neighbourhood's size
FLOOR = 1e-3  # heights below it are alike, in the same unit
CLOSEST = 12  # neighbours whose votes are also counted by themselves
SHARPNESS = 15.0  # of the votes at the smallest tolerance, to begin with


@dataclass(frozen=True)
class SmallPlanes:
    """Planes through the few nearest points of each of N points, S of them, of the SIZES."""

    normal: Tensor  # (N, S, 3), up to sign
    middle: Tensor  # (N, S, 3) from the point to the mean of the points fitted
    thickness: Tensor  # (N, S) root mean square height of these
    usable: Tensor  # (N, S) whether they lie about a plane, rather than on a line or all around


@dataclass(frozen=True)
class Candidates:
    """Planes that each of N points could lie in, C of them, and what is known of them."""

    normal: Tensor  # (N, C, 3), up to sign
    known: Tensor  # (N, C, 2 T + 4) votes, of everyone and of the closest for each tolerance; then numbers of the plane
    usable: Tensor  # (N, C)


class PlaneVotes(nn.Module):
    r"""The mean of candidate planes, each weighed by how many neighbours lie in it.

    .. math:: V_i = e^{s_i} \sum_c \operatorname{softmax}_c(z_{ic})\, n_{ic} n_{ic}^T

    The candidates c of a point are the planes of its own 6, 10 and 16 nearest points, and those of its neighbours,
    three of each: beside an edge some neighbour's lies within the facet that the point belongs to. Each is shifted to
    go through the point; how far is one of the numbers known of it. The scores z are a network's, of the votes

    .. math:: \nu_t(c) = \sum_j g_{ij} \left(1 + (n_{ic} \cdot r_{ij} / \tau_t u_i)^4\right)^{-1}

    of the nearest points j, a smooth count of inliers for each tolerance :math:`\tau_t` (inliers as in RANSAC, Fischler
    and Bolles 1981; for normals at edges see the votes of Boulch and Marlet 2012, *Fast and robust normal estimation
    for point clouds with sharp features*), of the thickness and the place of the candidate, and of what the network
    tells of the point, as is s. :math:`u_i` is the root mean square distance of the nearest points; votes are counted
    twice, :math:`g_{ij} \propto \exp(-|r_{ij}|^2 / 4 u_i^2)` and alike over the 12 closest. To begin with the scores
    are about the counts at the smallest tolerance.

    Args:
        told: numbers the network tells of each point. neighbours: how many neighbours' planes are candidates, too.
        voters: how many nearest points vote. hidden: width of the network.
    """

    def __init__(self, told: int, neighbours: int = 12, voters: int = 32, hidden: int = 16) -> None:
        super().__init__()
        if min(neighbours, voters, hidden) < 1:
            raise ValueError(f"expected candidates, voters and hidden >= 1, got {neighbours}, {voters} and {hidden}")
        self.neighbours, self.voters, self.reach = neighbours, voters, max(voters, neighbours + 1, *SIZES)
        counts = 2 * len(TOLERANCES)
        self.own = nn.Linear(told, hidden)
        self.candidate = nn.Linear(counts + 4, hidden, bias=False)
        self.score = nn.Sequential(nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, 1))
        self.count = nn.Parameter(torch.tensor([SHARPNESS] * 2 + [0.0] * (counts - 2)))
        self.strength = nn.Linear(told, 1)
        with torch.no_grad():  # begin as strong as the guess, everywhere about alike
            self.strength.weight *= 0.1
            self.strength.bias.zero_()

    def plan(self, hierarchy: Hierarchy, size: int) -> Candidates:
        """The candidates of all points, found in parts of ``size`` points: they depend on the geometry alone."""
        level = hierarchy.levels[0]
        table = (level.neighbours if hierarchy.near is None else hierarchy.near)[:, : self.reach]
        planes = joined([small_planes(level.pos, part) for part in table.split(size)])
        return joined([self.described(level.pos, part, planes) for part in table.split(size)])

    def forward(self, candidates: Candidates, told: Tensor, size: int) -> Tensor:
        """V (N, 3, 3), told (N, T), found in parts of ``size`` points."""
        parts = zip(*(getattr(candidates, each.name).split(size) for each in fields(Candidates)), strict=True)
        found = [self.of(Candidates(*part), row) for part, row in zip(parts, told.split(size), strict=True)]
        return torch.cat(found)

    def of(self, candidates: Candidates, told: Tensor) -> Tensor:
        """V of some points."""
        hidden = self.candidate(candidates.known) + self.own(told).unsqueeze(1)
        return self.mean(candidates, self.score(hidden).squeeze(-1), self.strength(told))

    @full_precision
    def mean(self, candidates: Candidates, score: Tensor, strength: Tensor) -> Tensor:
        """The mean of n n^T (N, 3, 3), by the scores (N, C) beside the counts, and the strengths' logarithms (N, 1)."""
        counted = candidates.known[..., : len(self.count)] @ self.count
        share = (score + counted).masked_fill(~candidates.usable, -1e4).softmax(-1) * candidates.usable
        weight = share * strength.clamp(-8, 4).exp()
        return (candidates.normal * weight.unsqueeze(-1)).transpose(1, 2) @ candidates.normal

    @full_precision
    def described(self, pos: Tensor, table: Tensor, planes: SmallPlanes) -> Candidates:
        """The candidates of the points that rows (M, K) of a neighbour table begin with."""
        edge = edges(pos, table)
        length, whose = edge.norm(dim=-1), slice(0, 1 + self.neighbours)
        unit = length[:, : max(SIZES)].square().mean(-1, keepdim=True).sqrt()
        unit = torch.where(unit > 0, unit, torch.ones_like(unit))
        sizes = planes.normal.shape[1]

        def of(values: Tensor) -> Tensor:  # (N, S, ...) of the point and its neighbours, (M, C, ...)
            around = values.index_select(0, table[:, whose].flatten())
            return around.view(len(table), -1, *values.shape[2:])

        normal = of(planes.normal)
        middle = of(planes.middle) + edge[:, whose].repeat_interleave(sizes, dim=1)
        off, thickness = (normal * middle).sum(-1).abs(), of(planes.thickness)
        kind = torch.linspace(-1, 1, sizes, dtype=pos.dtype, device=pos.device).repeat(off.shape[1] // sizes)
        numbers = [
            ((thickness / unit + FLOOR).log() / 3 + 1),
            ((off / unit + FLOOR).log() / 3 + 1),
            (length[:, whose] / unit).repeat_interleave(sizes, dim=1),
            kind.expand_as(off),
        ]
        voters = edge[:, : self.voters] / unit.unsqueeze(-1)
        power = (voters @ normal.transpose(1, 2)).square_().square_()  # heights to the fourth, (M, voters, C)
        voices = self.voices(length[:, : self.voters] / unit)
        votes = [voices @ (power * tolerance**-4).add_(1).reciprocal_() for tolerance in TOLERANCES]
        known = torch.cat([*votes, torch.stack(numbers, dim=1)], dim=1).transpose(1, 2).contiguous()
        return Candidates(normal, known, of(planes.usable))

    @staticmethod
    def voices(length: Tensor) -> Tensor:
        """What each voter counts (M, 2, K): less with the distance (M, K); and the closest ones alike."""
        fade = (-(length / 2).square()).exp()
        closest = torch.zeros_like(fade)
        closest[:, :CLOSEST] = 1 / min(CLOSEST, fade.shape[1])
        return torch.stack([fade / fade.sum(-1, keepdim=True), closest], dim=1)


@full_precision
def small_planes(pos: Tensor, table: Tensor) -> SmallPlanes:
    """The planes through the nearest points in each row (M, K) of a neighbour table, the point itself first."""
    edge = edges(pos, table[:, : max(SIZES)])
    middles, covariances = [], []
    for size in SIZES:
        points = edge[:, :size]
        middle = points.mean(1, keepdim=True)
        centred = points - middle
        middles.append(middle.squeeze(1))
        covariances.append(centred.transpose(1, 2) @ centred / points.shape[1])
    covariance = torch.stack(covariances, dim=1)
    normal, values = smallest_eigenvector(covariance.flatten(0, 1))
    least, middling, largest = values.view(covariance.shape[:-1]).unbind(-1)
    usable = (middling > RANK * largest) & (least < ROUND * middling)
    return SmallPlanes(
        normal.view(covariance.shape[:-1]), torch.stack(middles, dim=1), least.clamp_min(0).sqrt(), usable
    )


def edges(pos: Tensor, table: Tensor) -> Tensor:
    """(M, K, 3) from the first point of each row (M, K) to each of its points."""
    around = pos.index_select(0, table.flatten()).view(*table.shape, -1)
    return around - pos.index_select(0, table[:, 0]).unsqueeze(1)
