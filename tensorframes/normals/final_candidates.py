"""The candidates of the final selection of ``PlaneFitHead``, with their invariant features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tensorframes.layers import jet, sharpened, smallest_eigenvector
from tensorframes.normals.candidates import (
    SIZE_NEIGHBOURS,
    linear_step,
    log_sine,
    normalised_covariance,
    planarity_prior,
    safe_divisor,
)
from tensorframes.normals.inliers import distance_weight, inlier_counts, spanned_plane
from tensorframes.normals.sources import JET_NEIGHBOURS
from tensorframes.normals.support import Support, support
from tensorframes.reps import full_precision

MOST_INLIERS = 6.0  # counts are clamped at this number
LENGTH_FLOOR = 1e-4  # of lengths in units of the neighbourhood's size, in logarithms


@dataclass(frozen=True)
class FinalInputs:
    """The inputs of the final selection at M points."""

    edge: Tensor  # (M, K, 3) vectors to the nearest neighbours, without the point itself
    estimates: Tensor  # (M, S, 3) the initial estimate and the normals of the fits
    residual: Tensor  # (M, 2) thickness of the last fit, and distance from the point to the mean of its points
    embedding: Tensor  # (M, E)
    planes: Tensor | None  # (M, Q, 3, 3) local planes
    shape: Tensor | None  # (M, Q, 4) their shapes

    def split(self, size: int) -> list[FinalInputs]:
        """Chunks of at most ``size`` points."""
        starts = range(0, max(len(self.edge), 1), size)
        return [self._narrow(start, min(size, len(self.edge) - start)) for start in starts]

    def _narrow(self, start: int, count: int) -> FinalInputs:
        return self._map(lambda value: value.narrow(0, start, count))

    def _map(self, function: Callable[[Tensor], Tensor]) -> FinalInputs:
        required = (function(value) for value in (self.edge, self.estimates, self.residual, self.embedding))
        optional = (None if value is None else function(value) for value in (self.planes, self.shape))
        return FinalInputs(*required, *optional)


@dataclass(frozen=True)
class FinalCandidates:
    """Candidates of M points: S estimates, a jet, the planes of P minimal samples, and Q local planes.

    A minimal sample is the point and two of its nearest neighbours. T is the number of tolerances.
    """

    normal: Tensor  # (M, 1 + P, 3) of the jet and the minimal samples
    local_planes: Tensor  # (M, Q, 3, 3) close to n n^T
    inliers: Tensor  # (M, S + 1 + P, 2 T) counts, at most MOST_INLIERS
    validity: Tensor  # (M, S + 1 + P) u
    estimate_features: Tensor  # (M, S + 1, 2 T + S + 2) of the estimates and the jet
    sample_features: Tensor  # (M, P, 2 T + S + 8)
    plane_features: Tensor  # (M, Q, S + 6)
    point_features: Tensor  # (M, 2 T + 3 + 2 Q)


@dataclass(frozen=True)
class _MinimalSamples:
    """The planes through each of M points and P pairs of its nearest neighbours."""

    normal: Tensor  # (M, P, 3)
    squared_sine: Tensor  # (M, P) of the angle between the two edges
    length: Tensor  # (M, P) of the longer edge
    weight: Tensor  # (M, P) sum of the ``distance_weight`` of both neighbours
    support: Support  # (M, P)
    validity: Tensor  # (M, P) of the support

    def features(self) -> Tensor:
        """(M, P, 6)."""
        sine = (self.squared_sine + LENGTH_FLOOR).log() / 4 + 1
        return torch.stack([sine, self.length, *self.support.features()], dim=-1)


@full_precision
@torch.no_grad()
def final_candidates(
    inputs: FinalInputs,
    sample_neighbours: int,
    tolerances: Sequence[float],
    squared_sines: Sequence[float],
    facets_only: bool,
) -> FinalCandidates:
    """The candidates, without gradient; arguments as in ``FinalSelection``."""
    estimates, size = inputs.estimates.detach(), _size(inputs.edge)
    edge, regular = inputs.edge / size.unsqueeze(-1), estimates.shape[1] + 1  # candidates that are no minimal samples
    jet_normal, jet_residual = jet(edge[:, :JET_NEIGHBOURS], estimates[:, -1])
    samples = _minimal_samples(inputs.edge, size, sample_neighbours, tolerances)
    normal = torch.cat([jet_normal.unsqueeze(1), samples.normal], dim=1)
    directions = torch.cat([estimates, normal], dim=1)
    inliers = _inliers(inputs.edge, size, directions, samples, tolerances, regular if facets_only else 0)
    covariances = [normalised_covariance(edge[:, :SIZE_NEIGHBOURS]), normalised_covariance(edge)]
    variances = [((directions @ each) * directions).sum(-1) for each in covariances]
    thickness = torch.stack([log_sine(each) for each in variances], dim=-1)
    log_inliers = inliers.clamp_min(0).log1p()
    angles = log_sine(1 - (directions @ estimates.transpose(1, 2)).square())
    features = torch.cat([log_inliers, angles], dim=-1)
    sample_validity = linear_step(samples.squared_sine, *squared_sines) * samples.validity
    validity = torch.cat([torch.ones_like(directions[:, :regular, 0]), sample_validity], dim=1)
    most_inliers = (log_inliers[:, regular:] * (sample_validity > 0).unsqueeze(-1)).amax(1)
    residuals = torch.cat([inputs.residual / size, jet_residual.unsqueeze(-1)], dim=-1)
    local_planes, plane_features, of_planes = _local_planes(inputs, estimates, covariances, size)
    return FinalCandidates(
        normal,
        local_planes,
        inliers.clamp(0, MOST_INLIERS),
        planarity_prior(variances[1], smallest_eigenvector(covariances[1])[1]) * validity,
        torch.cat([features, thickness], dim=-1)[:, :regular],
        torch.cat([features[:, regular:], samples.features(), thickness[:, regular:]], dim=-1),
        plane_features,
        torch.cat([most_inliers, (residuals + LENGTH_FLOOR).log() / 6 + 1, *of_planes], dim=-1),
    )


def _size(edge: Tensor) -> Tensor:
    """(M, 1) root mean square distance of the 15 nearest neighbours."""
    length = edge[:, :SIZE_NEIGHBOURS].norm(dim=-1)
    return safe_divisor(length.square().mean(-1, keepdim=True).sqrt())


def _minimal_samples(edge: Tensor, size: Tensor, nearest: int, tolerances: Sequence[float]) -> _MinimalSamples:
    """The planes of pairs of the ``nearest`` neighbours, from edges (M, K, 3) and sizes (M, 1)."""
    length, edge = edge.norm(dim=-1) / size, edge / size.unsqueeze(-1)
    nearest = min(nearest, edge.shape[1])
    a, b = torch.triu_indices(nearest, nearest, 1, device=edge.device)
    normal, squared_sine = spanned_plane(edge[:, a], edge[:, b])
    found = support(edge, normal, tolerances[min(1, len(tolerances) - 1)])
    weight = distance_weight(length)
    return _MinimalSamples(normal, squared_sine, length[:, b], weight[:, a] + weight[:, b], found, found.validity())


def _inliers(
    edge: Tensor,
    size: Tensor,
    normal: Tensor,
    samples: _MinimalSamples,
    tolerances: Sequence[float],
    skipped: int,
) -> Tensor:
    """Inlier counts (M, C, 2 T) of planes (M, C, 3), the last of which are those of minimal samples: for each tolerance
    unweighted, and with ``distance_weight``; zero for the first ``skipped`` planes.

    The neighbours that define a minimal sample are not counted, nor is the point itself, which is repeated in clouds of
    few points. Counts of minimal samples are multiplied by the validity of their support.
    """
    length, edge = edge.norm(dim=-1) / size, edge / size.unsqueeze(-1)
    weight = torch.stack([torch.ones_like(length), distance_weight(length)], dim=1) * (length > 0).unsqueeze(1)
    counts = torch.cat(inlier_counts(edge, normal[:, skipped:], weight, tolerances), dim=1)
    counts = torch.nn.functional.pad(counts.transpose(1, 2).contiguous(), (0, 0, skipped, 0))
    of_samples = counts[:, normal.shape[1] - samples.normal.shape[1] :]
    of_samples[..., 0::2] -= 2
    of_samples[..., 1::2] -= samples.weight.unsqueeze(-1)
    of_samples *= samples.validity.unsqueeze(-1)
    return counts


def _local_planes(
    inputs: FinalInputs, estimates: Tensor, covariances: Sequence[Tensor], size: Tensor
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """The local planes, close to n n^T (M, Q, 3, 3), their features (M, Q, S + 6), and features of the points with 2 Q
    columns in all; Q = 0 if there are none.

    Args:
        estimates: (M, S, 3). covariances: (M, 3, 3) of the 15 nearest and of all neighbours. size: (M, 1).
    """
    if inputs.planes is None or inputs.shape is None:
        empty = size.new_zeros(len(size), 0, estimates.shape[1] + 6)
        return size.new_zeros(len(size), 0, 3, 3), empty, []
    planes = sharpened(inputs.planes)
    squared_cosine = ((estimates.unsqueeze(1) @ planes) * estimates.unsqueeze(1)).sum(-1)
    thickness = torch.stack([log_sine((planes * each.unsqueeze(1)).sum((-1, -2))) for each in covariances], dim=-1)
    features = torch.cat([log_sine(1 - squared_cosine), inputs.shape, thickness], dim=-1)
    flat = planes.flatten(2)
    squared_sine = 1 - (flat[:, 1:] * flat[:, :-1]).sum(-1)  # between consecutive sizes
    return planes, features, [log_sine(squared_sine), inputs.shape[..., 3:].flatten(1), size.log() / 4]
