"""``Select``: a selection among candidate normals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tensorframes.geometry.eigen import closed_eigenvalues
from tensorframes.layers import Geometry, Requirements, largest_eigenvector, silu
from tensorframes.normals.candidates import (
    NEAREST,
    NEVER,
    THIN,
    Candidates,
    Source,
    Surroundings,
    along,
    by_axis,
    log_prior,
    log_share,
    log_sine,
    spread,
    stacked,
    surroundings,
    thickness,
)
from tensorframes.normals.sources import Estimates
from tensorframes.parallel import parallel_map
from tensorframes.reps import full_precision

UNIT = 5.0  # unit of the scores
UNLIKELY = -4.0  # log prior of normals across points that spread over a plane: right where heights have coarse steps


@dataclass(frozen=True)
class Evidence:
    """What is measured of all C candidates of M points alike."""

    inliers: Tensor  # (M, C, T) for each tolerance, the share of inliers among the nearest points
    rest: Tensor  # (M, C, 2 + S) thickness of the 15 nearest and of all nearest points, angles to the S estimates
    possible: Tensor  # (M, C) log prior, at least UNLIKELY: not across points that spread over a plane


class Select(nn.Module):
    r"""The principal axis of the mean of candidate normals, weighted by probabilities that a network computes.

    .. math:: n_i = \operatorname{axis} \sum_c p_{ic}\, n_{ic} n_{ic}^T, \qquad
        p_i = \mathrm{softmax}_c (z_{ic} + \log \pi_{ic}),

    with the priors :math:`\pi` of the sources. A perceptron computes the logits z from the candidate's features, the
    embedding of the point, and measurements that are the same for all sources: the shares of inliers

    .. math:: \nu_t(c) = \sum_j g_{ij} \left(1 - (n_{ic} \cdot r_{ij} / \tau_t l_i)^2\right)_+, \qquad
        g_{ij} \propto \exp(-|r_{ij}|^2 / 4 l_i^2),

    among the nearest points j for tolerances :math:`\tau_t` (inliers as in RANSAC, Fischler and Bolles 1981; for
    normals at edges see Boulch and Marlet 2012), the thickness :math:`n_{ic}^T C_i n_{ic}` of the points, and the
    angles to the estimates. :math:`l_i` is the root mean square distance of the 15 nearest points. A further input of
    all logits of a point is a summary of the candidates of each source: their concatenated features where they are
    ordered, otherwise the maximum of each feature. At initialisation the logits are the priors and the shares at the
    two smallest tolerances.

    Args:
        embedding: width of the points' embedding.
        estimates: number of normals estimated before, candidates themselves.
        sources: of the other candidates, by name.
        tolerances: heights of inliers, in units of the neighbourhood's size, ascending.
        nearest: number of nearest points looked at.
        hidden: width of the network.

    Raises:
        ValueError: tolerances that are not ascending or not above 0, or a number that is too small.
    """

    def __init__(
        self,
        embedding: int,
        estimates: int,
        sources: Mapping[str, Source[Any]],
        tolerances: Sequence[float] = (0.0003, 0.003, 0.02, 0.1),
        nearest: int = 23,
        hidden: int = 16,
    ) -> None:
        super().__init__()
        if len(tolerances) < 2 or min(tolerances) <= 0 or list(tolerances) != sorted(set(tolerances)):
            raise ValueError(f"expected at least two tolerances above 0, ascending, got {list(tolerances)}")
        if nearest < NEAREST or hidden < 2:
            raise ValueError(f"expected nearest >= {NEAREST} and hidden >= 2, got {nearest} and {hidden}")
        if "estimates" in sources:
            raise ValueError("expected sources of other names than estimates, which are candidates already")
        self.sources: dict[str, Source[Any]] = {**sources, "estimates": Estimates(estimates)}
        self.tolerances, self.nearest, self.hidden = tuple(tolerances), nearest, hidden
        known = len(self.tolerances) + 2 + estimates
        self.point = nn.Linear(embedding + 1, hidden)
        self.measured = nn.Linear(known, hidden, bias=False)
        self.known, self.together = nn.ModuleDict(), nn.ModuleDict()
        for name, source in self.sources.items():
            if source.width:
                self.known[name] = nn.Linear(source.width, hidden, bias=False)
            self.together[name] = nn.Linear((known + source.width + 1) * source.kinds, hidden, bias=False)
        priors = [torch.full((source.kinds,), source.prior / UNIT) for source in self.sources.values()]
        self.lead = nn.Parameter(torch.cat(priors))
        self.kind = nn.Parameter(0.3 * torch.randn(len(self.lead), hidden))
        self.worth = nn.Parameter(torch.tensor([1.0] * 2 + [0.0] * (len(self.tolerances) - 2)))
        self.score = nn.Sequential(silu(), nn.Linear(hidden, hidden), silu(), nn.Linear(hidden, 1))
        self.which: Tensor
        self.register_buffer("which", self._kinds(), persistent=False)
        with torch.no_grad():
            for parameter in self.score[-1].parameters():
                parameter.zero_()

    def _kinds(self) -> Tensor:
        """(C,) the kind of each candidate: of ordered ones each has its own, those of a set have one together."""
        found: list[Tensor] = []
        for source in self.sources.values():
            first = 0 if not found else int(found[-1].max()) + 1
            found.append(first + torch.arange(source.count).clamp(max=source.kinds - 1))
        return torch.cat(found)

    @property
    def requirements(self) -> Requirements:
        """The quantities that it and its sources require of the geometry."""
        own = Requirements(neighbours=self.nearest + 1, edges=self.nearest + 1)
        for source in self.sources.values():
            own = own | source.requirements
        return own

    def plan(self, geometry: Geometry) -> list[Any]:
        """What the sources plan."""
        return [source.plan(geometry) for source in self.sources.values()]

    def forward(
        self, geometry: Geometry, planned: list[Any], rows: Tensor, estimates: Tensor, embedding: Tensor, size: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Unit normals (M, 3), toward the latest estimates, the mean hidden features (M, hidden) of what was selected,
        and how far that is apart (M, 1): the mean squared sine of its angles to the normal, on a logarithmic scale.

        Args:
            planned: ``plan(geometry)``. rows: (M,) points. estimates: (M, S, 3). embedding: (M, E). size: number of
                points that are computed at once.
        """
        sources = list(zip(self.sources.values(), planned, strict=True))

        def selected(part: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
            rows, estimates, embedding = part
            near = surroundings(geometry, rows, estimates, self.nearest)
            return self.of(near, [source.candidates(each, near) for source, each in sources], embedding)

        parts = [(rows, estimates, embedding)]
        if rows.shape[0] > size:
            parts = list(zip(rows.split(size), estimates.split(size), embedding.split(size), strict=True))
        normals, seen, apart = zip(*parallel_map(selected, parts, embedding.device), strict=True)
        return torch.cat(normals), torch.cat(seen), torch.cat(apart)

    def of(self, near: Surroundings, found: Sequence[Candidates], embedding: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same of some points, from the candidates of each source."""
        directions = torch.cat([each.directions for each in found], dim=1)
        evidence = self.evidence(near, directions)
        prior = torch.cat([each.log_prior for each in found], dim=1) + evidence.possible
        measured = torch.cat([evidence.inliers, evidence.rest], dim=-1).to(embedding.dtype)
        hidden = self.measured(measured)
        point = self.point(torch.cat([embedding, near.size.log().to(embedding.dtype) / 4], dim=-1))
        start = 0
        for (name, source), each in zip(self.sources.items(), found, strict=True):
            part = slice(start, start + source.count)
            features = each.features.to(embedding.dtype)
            if source.width:
                hidden[:, part] += self.known[name](features)
            point = point + self.together[name](_together(source, measured[:, part], features, prior[:, part]))
            start += source.count
        hidden += self.kind[self.which]
        hidden += point.unsqueeze(1)
        hidden = self.score[0](hidden)
        score = self.score[1:](hidden).squeeze(-1) + self.lead[self.which]
        share = self.share(score.to(prior.dtype), evidence.inliers, prior)
        seen = (share.unsqueeze(1).to(hidden.dtype) @ hidden).squeeze(1)
        axis = axis_of(directions, share, near.estimates[:, -1])
        return axis, seen, apart(directions, share, axis)

    @full_precision
    def share(self, score: Tensor, inliers: Tensor, prior: Tensor) -> Tensor:
        """The probabilities (M, C) of candidates: scores and log priors (M, C), shares of inliers (M, C, T)."""
        return (UNIT * (score + inliers @ self.worth.to(score.dtype)) + prior).softmax(-1)

    @full_precision
    @torch.no_grad()
    def evidence(self, near: Surroundings, directions: Tensor) -> Evidence:
        """What is measured of candidates (M, C, 3)."""
        directions = directions.detach()
        voices = ((-(near.length / 2).square()).exp() * (near.length > 0)).unsqueeze(1)
        voices = voices / voices.sum(-1, keepdim=True).clamp_min(1e-6)
        square = (near.edge @ directions.transpose(1, 2)).square_()  # of heights (M, K, C)
        every, shares = voices.sum(-1, keepdim=True), []
        for each in reversed(self.tolerances):  # the squares are cut in place, lower each time
            shares.append(every - voices @ square.clamp_max_(each**2) / each**2)
        axes, about = by_axis(directions), [spread(near.edge[:, :NEAREST]), spread(near.edge)]
        thick = [thickness(axes, each) for each in about]
        thin = [log_share(each, THIN) for each in thick]
        before = by_axis(near.estimates.detach()).unsqueeze(2)  # (3, M, 1, S)
        turned = 1 - (axes.unsqueeze(-1) * before).sum(0).square()
        return Evidence(
            torch.cat(shares[::-1], dim=1).transpose(1, 2),
            torch.cat([stacked(thin), log_sine(turned)], dim=-1),
            log_prior(along(thick[1], closed_eigenvalues(about[1]))).clamp_min(UNLIKELY),
        )


@full_precision
def axis_of(directions: Tensor, share: Tensor, toward: Tensor) -> Tensor:
    """Principal axes (M, 3) of sums of n n^T over directions (M, C, 3), by their shares (M, C), toward (M, 3)."""
    axis = largest_eigenvector((directions * share.unsqueeze(-1)).transpose(1, 2) @ directions)
    return axis * torch.where((axis * toward).sum(-1, keepdim=True) < 0, -1, 1)


@full_precision
@torch.no_grad()
def apart(directions: Tensor, share: Tensor, axis: Tensor) -> Tensor:
    """How far directions (M, C, 3) of some shares (M, C) are from an axis (M, 3): (M, 1), see ``Select.forward``."""
    cosine = (directions @ axis.unsqueeze(-1)).squeeze(-1)
    return log_sine(1 - (share * cosine.square()).sum(-1, keepdim=True))


def _together(source: Source[Any], measured: Tensor, features: Tensor, prior: Tensor) -> Tensor:
    """What the candidates of a source are like together (M, ...): ordered ones side by side, of a set the largest."""
    missing = (prior / NEVER).clamp(0, 1).unsqueeze(-1).to(features.dtype)  # 0: a plane, 1: none
    numbers = torch.cat([measured, features, missing], dim=-1)
    return numbers.flatten(1) if source.ordered else torch.where(missing < 1, numbers, -1).amax(1)
