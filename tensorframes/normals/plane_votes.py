"""Planes that a point could lie in, and how many of its neighbours lie in each: a search before the fits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tensorframes.geometry import Hierarchy
from tensorframes.layers import silu
from tensorframes.normals.candidates import rising
from tensorframes.normals.degenerate import RANK
from tensorframes.normals.joined import joined
from tensorframes.normals.sources import LINE
from tensorframes.normals.sources import small_planes as planes_of_size
from tensorframes.parallel import parallel_map
from tensorframes.reps import full_precision

FLOOR = 1e-3  # heights below it are alike, in the same unit
NEAREST = 16  # points that the unit is measured by
CLOSEST = 12  # neighbours whose votes are also counted by themselves
SHARPNESS = 15.0  # what a count of 1 adds to a score where its weight is 1; stored weights are in this unit


@dataclass(frozen=True)
class SmallPlanes:
    """Planes, S of each of N points."""

    normal: Tensor  # (N, S, 3), up to sign
    middle: Tensor  # (N, S, 3) from the point to the mean of the points fitted
    variance: Tensor  # (N, S) mean square height of these
    sound: Tensor  # (N, S) whether they lie about a plane, 1, or on a line or all around, 0; in between it fades


@dataclass(frozen=True)
class Search:
    """Where candidates come from."""

    pos: Tensor  # (N, 3)
    table: Tensor  # (N, K) nearest points, the point itself first
    planes: SmallPlanes  # of all points


@dataclass(frozen=True)
class Candidates:
    """Planes that each of N points could lie in, C of them, and what is known of them."""

    normal: Tensor  # (N, C, 3), up to sign
    known: Tensor  # (N, C, 2 T + 5) votes, of everyone and of the closest for each tolerance; then numbers of the plane
    sound: Tensor  # (N, C)


class PlaneVotes(nn.Module):
    r"""The mean of candidate planes, each weighed by how many neighbours lie in it.

    .. math:: V_i = e^{s_i} \sum_c p_{ic}\, n_{ic} n_{ic}^T, \qquad
        p_{ic} = u_{ic} e^{z_{ic}} / \textstyle\sum_d u_{id} e^{z_{id}}

    The candidates c of a point are small planes, fitted to few nearest points, its own and its neighbours': beside an
    edge some neighbour's lies within the facet that the point belongs to. Each is shifted to go through the point; how
    far is one of the numbers known of it. With ``triples`` the planes through the point and two of its nearest
    neighbours are candidates, too: of a facet that holds hardly more points than these. :math:`u_{ic}` is 1, and falls
    to 0 where the points of c come to lie on a line or all around, and V with the largest of them. The scores z are a
    network's, of the votes

    .. math:: \nu_t(c) = \sum_j g_{ij} \left(1 + (n_{ic} \cdot r_{ij} / \tau_t l_i)^4\right)^{-1}

    of the nearest points j, a smooth count of inliers for each tolerance :math:`\tau_t` (inliers as in RANSAC, Fischler
    and Bolles 1981; for normals at edges see the votes of Boulch and Marlet 2012, *Fast and robust normal estimation
    for point clouds with sharp features*), of the thickness and the place of the candidate, of how the network's own
    tensor agrees, :math:`n_{ic}^T S_i\, n_{ic} / |S_i|`, and of the embedding of the point, as is s.
    :math:`l_i` is the root mean square distance of the nearest points; votes are counted twice, :math:`g_{ij} \propto
    \exp(-|r_{ij}|^2 / 4 l_i^2)` and alike over the 12 closest. To begin with the scores are about the counts at the
    smallest tolerance. What is known of the candidates chosen, and how clear the choice was, :math:`\sum_c p_{ic}^2`,
    is added to the embedding.

    Args:
        embedding: width of the points' embedding.
        sizes: nearest points that small planes are fitted to, the point itself among them.
        neighbours: for each size how many neighbours' planes are candidates, beside its own.
        triples: among how many nearest neighbours pairs are taken for planes through the point; 0: none.
        tolerances: heights that count as in the plane, in units of the neighbourhood's size, ascending.
        voters: how many nearest points vote. hidden: width of the network.
    """

    def __init__(
        self,
        embedding: int,
        sizes: Sequence[int] = (4, 16),
        neighbours: Sequence[int] = (20, 8),
        triples: int = 6,
        tolerances: Sequence[float] = (0.001, 0.004, 0.02, 0.1),
        voters: int = 32,
        hidden: int = 16,
    ) -> None:
        super().__init__()
        if not sizes or min(sizes) < 3:
            raise ValueError(f"expected planes of at least 3 points, got sizes {list(sizes)}")
        if len(neighbours) != len(sizes) or min(neighbours) < 0:
            raise ValueError(f"expected candidates >= 0 for each of {len(sizes)} sizes, got {list(neighbours)}")
        if triples < 0 or min(voters, hidden) < 1:
            raise ValueError(f"expected triples >= 0, voters and hidden >= 1, got {triples}, {voters} and {hidden}")
        self.sizes, self.neighbours, self.triples, self.voters = tuple(sizes), tuple(neighbours), triples, voters
        self.tolerances = checked_tolerances(tolerances)
        self.reach = max(voters, max(neighbours) + 1, triples + 1, *sizes)
        counts = 2 * len(tolerances)
        self.own = nn.Linear(embedding, hidden)
        self.candidate = nn.Linear(counts + 5, hidden, bias=False)
        self.score = nn.Sequential(silu(), nn.Linear(hidden, hidden), silu(), nn.Linear(hidden, 1))
        self.count = nn.Parameter(torch.tensor([1.0] * 2 + [0.0] * (counts - 2)))
        self.strength = nn.Linear(embedding, 1)
        self.chosen = nn.Linear(counts + 6, embedding, bias=False)
        with torch.no_grad():  # begin as strong as the guess, everywhere about alike, and silent
            self.strength.weight *= 0.1
            self.strength.bias.zero_()
            self.chosen.weight.zero_()

    def plan(self, hierarchy: Hierarchy, size: int) -> Search:
        """Where candidates are looked for, found in parts of ``size`` points: it depends on the geometry alone."""
        level, table = hierarchy.levels[0], hierarchy.knn_index[:, : self.reach]
        parts = table.split(size)
        planes = joined(parallel_map(lambda part: small_planes(level.pos, part, self.sizes), parts, table.device))
        return Search(level.pos, table, planes)

    def forward(self, search: Search, tensor: Tensor, embedding: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """V (N, 3, 3), and the embedding (N, T) with the contribution of the selected candidates, from the network's
        tensors S (N, 3, 3) and the embedding (N, T); found in parts of ``size`` points."""
        parts = list(zip(search.table.split(size), tensor.split(size), embedding.split(size), strict=True))

        def voted(part: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            table, own, embedding = part
            return self.of(self.candidates(search, table, own), embedding)

        tensors, seen = zip(*parallel_map(voted, parts, embedding.device), strict=True)
        return torch.cat(tensors), embedding + self.chosen(torch.cat(seen))

    def of(self, candidates: Candidates, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """V of some points, and what is known of the candidates chosen, their mean."""
        hidden = self.candidate(candidates.known)
        hidden += self.own(embedding).unsqueeze(1)
        return self.mean(candidates, self.score(hidden).squeeze(-1), self.strength(embedding))

    @full_precision
    def mean(self, candidates: Candidates, score: Tensor, strength: Tensor) -> tuple[Tensor, Tensor]:
        """The mean of n n^T (N, 3, 3) and of what is known (N, 2 T + 6), by the scores (N, C) beside the counts; the
        strengths' logarithms (N, 1) scale the first."""
        z = score + candidates.known[..., : len(self.count)] @ (SHARPNESS * self.count)
        share = (z + candidates.sound.clamp_min(1e-30).log()).softmax(-1) * candidates.sound.amax(-1, keepdim=True)
        strong = share * strength.clamp(-8, 4).exp()
        tensor = (candidates.normal * strong.unsqueeze(-1)).transpose(1, 2) @ candidates.normal
        seen = (share.unsqueeze(1) @ candidates.known).squeeze(1)
        return tensor, torch.cat([seen, share.square().sum(-1, keepdim=True)], dim=-1)

    @full_precision
    @torch.no_grad()
    def candidates(self, search: Search, table: Tensor, tensor: Tensor) -> Candidates:
        """The candidates of the points that rows (M, K) of the neighbour table begin with, tensors (M, 3, 3) theirs."""
        edge, planes = edges(search.pos, table), search.planes
        length = edge.norm(dim=-1)
        unit = length[:, :NEAREST].square().mean(-1, keepdim=True).sqrt()
        unit = torch.where(unit > 0, unit, torch.ones_like(unit))
        normal, variance, off, sound, far, kind = (
            torch.cat(values, dim=1) for values in zip(*self.around(table, edge, length, planes), strict=True)
        )
        size = tensor.square().sum((-1, -2)).sqrt().unsqueeze(-1)
        agreement = ((normal @ tensor) * normal).sum(-1) / torch.where(size > 0, size, torch.ones_like(size))
        numbers = [
            ((variance / unit.square() + FLOOR**2).log() / 6 + 1),
            ((off / unit).square() + FLOOR**2).log() / 6 + 1,
            far / unit,
            kind,
            agreement,
        ]
        voters = edge[:, : self.voters] / unit.unsqueeze(-1)
        votes = inliers(voters, normal, self.vote_weights(length[:, : self.voters] / unit), self.tolerances)
        counts = [count for vote in votes for count in vote.unbind(1)]
        return Candidates(normal, torch.stack([*counts, *numbers]).movedim(0, -1), sound)

    def around(
        self, table: Tensor, edge: Tensor, length: Tensor, planes: SmallPlanes
    ) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]]:
        """For each size, and for triples, what makes the candidates (M, C, ...): their normals, variances, heights of
        the middle above the point, soundness, how far the point is that they belong to, and their size's number."""
        for which, (size, count) in enumerate(zip(self.sizes, self.neighbours, strict=True)):
            whose = table[:, : 1 + count]

            def of(values: Tensor, which: int = which, whose: Tensor = whose) -> Tensor:
                return values[:, which].index_select(0, whose.flatten()).view(*whose.shape, *values.shape[2:])

            normal, far = of(planes.normal), length[:, : 1 + count]
            off = (normal * (of(planes.middle) + edge[:, : 1 + count])).sum(-1)
            yield normal, of(planes.variance), off, of(planes.sound), far, numbered(size, far)
        nearest = min(self.triples, table.shape[1] - 1)
        if nearest > 1:
            a, b = 1 + torch.triu_indices(nearest, nearest, 1, device=table.device)
            normal, sine = across(edge[:, a], edge[:, b])
            sound = rising(sine, RANK, LINE)
            nothing, far = torch.zeros_like(sound), torch.maximum(length[:, a], length[:, b])
            yield normal, nothing, nothing, sound, far, numbered(3, far)

    @staticmethod
    def vote_weights(length: Tensor) -> Tensor:
        """What each voter counts (M, 2, K): less with the distance (M, K); and the closest ones alike."""
        fade = faded(length)
        closest = torch.zeros_like(fade)
        closest[:, :CLOSEST] = 1 / min(CLOSEST, fade.shape[1])
        return torch.stack([fade / fade.sum(-1, keepdim=True), closest], dim=1)


def checked_tolerances(tolerances: Sequence[float]) -> tuple[float, ...]:
    """Tolerances as a tuple. Raises ValueError unless there are some, above 0 and ascending."""
    if not tolerances or min(tolerances) <= 0 or list(tolerances) != sorted(set(tolerances)):
        raise ValueError(f"expected tolerances above 0, ascending, got {list(tolerances)}")
    return tuple(tolerances)


def faded(length: Tensor) -> Tensor:
    """What a point counts at so many sizes of the neighbourhood."""
    return (-(length / 2).square()).exp()


def inliers(edge: Tensor, normal: Tensor, vote_weights: Tensor, tolerances: Sequence[float]) -> list[Tensor]:
    r"""For each tolerance :math:`\sum_j g_j (1 + (n_c \cdot r_j / \tau)^4)^{-1}` (M, V, C): how many of the points at
    edges (M, K, 3) lie in planes (M, C, 3), as they count in V ways (M, V, K)."""
    power = (edge @ normal.transpose(1, 2)).square_().square_()  # heights to the fourth, (M, K, C)
    return [vote_weights @ (power * tolerance**-4).add_(1).reciprocal_() for tolerance in tolerances]


def numbered(size: int, like: Tensor) -> Tensor:
    """The size of planes as an input of the network: -1 for 6 points, 1 for 16, linear in the logarithm."""
    return torch.full_like(like, 2 * math.log(size / 6) / math.log(16 / 6) - 1)


def across(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Unit normals (..., 3) of the planes that edges a and b span, and the squared sine of their angle (...)."""
    normal = torch.linalg.cross(a, b)
    square = normal.square().sum(-1)
    both = a.square().sum(-1) * b.square().sum(-1)
    sine = square / torch.where(both > 0, both, torch.ones_like(both))
    length = torch.where(square > 0, square, torch.ones_like(square)).sqrt()
    return normal / length.unsqueeze(-1), sine


def small_planes(pos: Tensor, table: Tensor, sizes: Sequence[int]) -> SmallPlanes:
    """The planes through the nearest points in each row (M, K) of a neighbour table, the point itself first."""
    found = [planes_of_size(pos, table[:, :size]) for size in sizes]
    normals, means, variances, sound = zip(*(vars(each).values() for each in found), strict=True)
    return SmallPlanes(*(torch.stack(values, dim=1) for values in (normals, means, variances, sound)))


def edges(pos: Tensor, table: Tensor) -> Tensor:
    """(M, K, 3) from the first point of each row (M, K) to each of its points."""
    around = pos.index_select(0, table.flatten()).view(*table.shape, -1)
    return around - pos.index_select(0, table[:, 0]).unsqueeze(1)
