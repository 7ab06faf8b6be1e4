"""``Select``: a soft selection among candidate normals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tensorframes.geometry.eigen import closed_eigenvalues
from tensorframes.layers import Geometry, Requirements, largest_eigenvector, silu
from tensorframes.normals.candidates import (
    LEAST_LOG_PRIOR,
    SIZE_NEIGHBOURS,
    VARIANCE_FLOOR,
    Candidates,
    ScaledNeighbourhoods,
    Source,
    by_axis,
    log_ratio,
    log_sine,
    normalised_covariance,
    planarity_prior,
    scaled_neighbourhoods,
    stacked,
    thickness,
)
from tensorframes.normals.sources import Estimates
from tensorframes.parallel import parallel_map
from tensorframes.reps import full_precision

LOGIT_SCALE = 5.0  # logits are in this unit
LEAST_PLANARITY_LOG_PRIOR = -4.0  # of ``planarity_prior``: depth with coarse steps consists of planes that are not its


@dataclass(frozen=True)
class Measurements:
    """Invariants of C candidates of each of M points that are computed alike for all sources."""

    inlier_ratio: Tensor  # (M, C, T) at each tolerance
    other: Tensor  # (M, C, 2 + S) thickness of the 15 nearest and of all neighbours, angles to the S estimates
    log_prior: Tensor  # (M, C) of ``planarity_prior``


class Select(nn.Module):
    r"""The principal axis of the mean of candidate normals, weighted by probabilities that a network computes.

    .. math:: n_i = \operatorname{axis} \sum_c p_{ic}\, n_{ic} n_{ic}^T, \qquad
        p_i = \mathrm{softmax}_c (z_{ic} + \log \pi_{ic}),

    with the priors :math:`\pi` of the sources. A perceptron computes the logits z from the candidate's features, the
    embedding of the point, and measurements that are the same for all sources: the ratios of inliers

    .. math:: \nu_t(c) = \sum_j g_{ij} \left(1 - (n_{ic} \cdot r_{ij} / \tau_t l_i)^2\right)_+, \qquad
        g_{ij} \propto \exp(-|r_{ij}|^2 / 4 l_i^2), \qquad \textstyle\sum_j g_{ij} = 1,

    among the nearest neighbours j at tolerances :math:`\tau_t` (inliers as in RANSAC, Fischler and Bolles 1981; for
    normals at edges see Boulch and Marlet 2012), the thickness :math:`n_{ic}^T C_i n_{ic}` of the neighbours, and the
    angles to the estimates. :math:`l_i` is the root mean square distance of the 15 nearest neighbours. A further input
    of all logits of a point is a summary of the candidates of each source: their concatenated features if they are
    ordered, otherwise the maximum of each feature. At initialisation the logits are 5 times the sum of the inlier
    ratios at the two smallest tolerances, plus a constant of each source.

    Args:
        embedding: width of the points' embedding.
        estimates: number S of normals estimated before; they are candidates, too.
        sources: of the other candidates, by name.
        tolerances: heights of inliers, in units of the neighbourhood's size, ascending.
        nearest: number of nearest neighbours that are measured.
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
        if nearest < SIZE_NEIGHBOURS or hidden < 2:
            raise ValueError(f"expected nearest >= {SIZE_NEIGHBOURS} and hidden >= 2, got {nearest} and {hidden}")
        if "estimates" in sources:
            raise ValueError("expected sources of other names than estimates, which are candidates already")
        self.sources: dict[str, Source[Any]] = {**sources, "estimates": Estimates(estimates)}
        self.tolerances, self.nearest, self.hidden = tuple(tolerances), nearest, hidden
        measured = len(self.tolerances) + 2 + estimates
        self.point_layer = nn.Linear(embedding + 1, hidden)
        self.measurement_layer = nn.Linear(measured, hidden, bias=False)
        self.feature_layers, self.summary_layers = nn.ModuleDict(), nn.ModuleDict()  # by source
        for name, source in self.sources.items():
            if source.width:
                self.feature_layers[name] = nn.Linear(source.width, hidden, bias=False)
            self.summary_layers[name] = nn.Linear((measured + source.width + 1) * source.kinds, hidden, bias=False)
        biases = [torch.full((source.kinds,), source.initial_logit / LOGIT_SCALE) for source in self.sources.values()]
        self.kind_bias = nn.Parameter(torch.cat(biases))
        self.kind_embedding = nn.Parameter(0.3 * torch.randn(len(self.kind_bias), hidden))
        self.inlier_coefficients = nn.Parameter(torch.tensor([1.0] * 2 + [0.0] * (len(self.tolerances) - 2)))
        self.score = nn.Sequential(silu(), nn.Linear(hidden, hidden), silu(), nn.Linear(hidden, 1))
        self.kind_index: Tensor
        self.register_buffer("kind_index", self._kind_index(), persistent=False)
        with torch.no_grad():
            for parameter in self.score[-1].parameters():
                parameter.zero_()

    def _kind_index(self) -> Tensor:
        """(C,) the kind of each candidate: ordered candidates have one each, the candidates of a set share one."""
        index: list[Tensor] = []
        for source in self.sources.values():
            first = 0 if not index else int(index[-1].max()) + 1
            index.append(first + torch.arange(source.count).clamp(max=source.kinds - 1))
        return torch.cat(index)

    @property
    def requirements(self) -> Requirements:
        """The quantities that it and its sources require of the geometry."""
        requirements = Requirements(neighbours=self.nearest + 1, edges=self.nearest + 1)
        for source in self.sources.values():
            requirements = requirements | source.requirements
        return requirements

    def plan(self, geometry: Geometry) -> list[Any]:
        """The plan of each source."""
        return [source.plan(geometry) for source in self.sources.values()]

    def forward(
        self, geometry: Geometry, plans: list[Any], rows: Tensor, estimates: Tensor, embedding: Tensor, size: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Unit normals (M, 3) with the signs of the latest estimates; the mean hidden features (M, hidden) of the
        candidates under p; and the dispersion (M, 1) of p about the normal (``dispersion``).

        Args:
            plans: ``plan(geometry)``. rows: (M,) points. estimates: (M, S, 3). embedding: (M, E).
            size: number of points in a chunk.
        """
        sources = list(zip(self.sources.values(), plans, strict=True))

        def selected(chunk: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
            rows, estimates, embedding = chunk
            neighbourhood = scaled_neighbourhoods(geometry, rows, estimates, self.nearest)
            candidates = [source.candidates(plan, neighbourhood) for source, plan in sources]
            return self.select(neighbourhood, candidates, embedding)

        chunks = [(rows, estimates, embedding)]
        if rows.shape[0] > size:
            chunks = list(zip(rows.split(size), estimates.split(size), embedding.split(size), strict=True))
        normal, features, spread = zip(*parallel_map(selected, chunks, embedding.device), strict=True)
        return torch.cat(normal), torch.cat(features), torch.cat(spread)

    def select(
        self, neighbourhood: ScaledNeighbourhoods, candidates: Sequence[Candidates], embedding: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The results of ``forward`` for one chunk, from the candidates of each source."""
        directions = torch.cat([each.directions for each in candidates], dim=1)
        measurements = self.measurements(neighbourhood, directions)
        prior = torch.cat([each.log_prior for each in candidates], dim=1) + measurements.log_prior
        measured = torch.cat([measurements.inlier_ratio, measurements.other], dim=-1).to(embedding.dtype)
        hidden = self.measurement_layer(measured)
        point = self.point_layer(torch.cat([embedding, neighbourhood.size.log().to(embedding.dtype) / 4], dim=-1))
        start = 0
        for (name, source), each in zip(self.sources.items(), candidates, strict=True):
            columns = slice(start, start + source.count)
            features = each.features.to(embedding.dtype)
            if source.width:
                hidden[:, columns] += self.feature_layers[name](features)
            summary = _summary(source, measured[:, columns], features, prior[:, columns])
            point = point + self.summary_layers[name](summary)
            start += source.count
        hidden += self.kind_embedding[self.kind_index]
        hidden += point.unsqueeze(1)
        hidden = self.score[0](hidden)
        score = self.score[1:](hidden).squeeze(-1) + self.kind_bias[self.kind_index]
        probability = self.probabilities(score.to(prior.dtype), measurements.inlier_ratio, prior)
        features = (probability.unsqueeze(1).to(hidden.dtype) @ hidden).squeeze(1)
        normal = weighted_axis(directions, probability, neighbourhood.estimates[:, -1])
        return normal, features, dispersion(directions, probability, normal)

    @full_precision
    def probabilities(self, score: Tensor, inlier_ratio: Tensor, prior: Tensor) -> Tensor:
        """p (M, C) from the network's scores and the log priors (M, C) and the inlier ratios (M, C, T)."""
        return (LOGIT_SCALE * (score + inlier_ratio @ self.inlier_coefficients.to(score.dtype)) + prior).softmax(-1)

    @full_precision
    @torch.no_grad()
    def measurements(self, neighbourhood: ScaledNeighbourhoods, directions: Tensor) -> Measurements:
        """The measurements of candidates (M, C, 3)."""
        directions, edge = directions.detach(), neighbourhood.edge
        axes = by_axis(directions)
        covariances = [normalised_covariance(edge[:, :SIZE_NEIGHBOURS]), normalised_covariance(edge)]
        variances = [thickness(axes, each) for each in covariances]
        features = [log_ratio(each, VARIANCE_FLOOR) for each in variances]
        estimates = by_axis(neighbourhood.estimates.detach()).unsqueeze(2)  # (3, M, 1, S)
        squared_sine = 1 - (axes.unsqueeze(-1) * estimates).sum(0).square()
        return Measurements(
            inlier_ratios(edge, neighbourhood.length, directions, self.tolerances),
            torch.cat([stacked(features), log_sine(squared_sine)], dim=-1),
            planarity_prior(variances[1], closed_eigenvalues(covariances[1]))
            .log()
            .clamp_min(LEAST_PLANARITY_LOG_PRIOR),
        )


def inlier_ratios(edge: Tensor, length: Tensor, directions: Tensor, tolerances: Sequence[float]) -> Tensor:
    """nu (M, C, T) of planes with normals (M, C, 3) at ascending tolerances, from scaled edges (M, K, 3) and their
    lengths (M, K)."""
    weight = ((-(length / 2).square()).exp() * (length > 0)).unsqueeze(1)
    weight = weight / weight.sum(-1, keepdim=True).clamp_min(1e-6)
    squared_height = (edge @ directions.transpose(1, 2)).square_()  # (M, K, C)
    total, ratios = weight.sum(-1, keepdim=True), []
    for tolerance in reversed(tolerances):  # clamped in place, to less each time
        ratios.append(total - weight @ squared_height.clamp_max_(tolerance**2) / tolerance**2)
    return torch.cat(ratios[::-1], dim=1).transpose(1, 2)


@full_precision
def weighted_axis(directions: Tensor, probability: Tensor, reference: Tensor) -> Tensor:
    """Principal axes (M, 3) of the means of n n^T over directions (M, C, 3) with probabilities (M, C), with the signs
    of references (M, 3)."""
    axis = largest_eigenvector((directions * probability.unsqueeze(-1)).transpose(1, 2) @ directions)
    return axis * torch.where((axis * reference).sum(-1, keepdim=True) < 0, -1, 1)


@full_precision
@torch.no_grad()
def dispersion(directions: Tensor, probability: Tensor, axis: Tensor) -> Tensor:
    """Mean squared sines (M, 1) of the angles between directions (M, C, 3) with probabilities (M, C) and an axis
    (M, 3), on the logarithmic scale of ``log_sine``."""
    cosine = (directions @ axis.unsqueeze(-1)).squeeze(-1)
    return log_sine(1 - (probability * cosine.square()).sum(-1, keepdim=True))


def _summary(source: Source[Any], measured: Tensor, features: Tensor, prior: Tensor) -> Tensor:
    """The candidates of a source in one row (M, ...): their features side by side if they are ordered, otherwise the
    maximum of each feature over the valid ones."""
    invalid = (prior / LEAST_LOG_PRIOR).clamp(0, 1).unsqueeze(-1).to(features.dtype)  # 0: a plane, 1: none
    columns = torch.cat([measured, features, invalid], dim=-1)
    return columns.flatten(1) if source.ordered else torch.where(invalid < 1, columns, -1).amax(1)
