"""A weighted least-squares plane whose weights a network computes; the fit of ``PlaneFitHead``."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tensorframes.layers import silu, smallest_eigenvector
from tensorframes.normals.candidates import safe_divisor, stacked
from tensorframes.normals.fit import Fit
from tensorframes.normals.neighbourhoods import Neighbourhoods
from tensorframes.normals.weighted_fit import (
    HEIGHT_FLOOR,
    INITIAL_LOG_STRENGTH,
    MOST_THICKNESSES,
    THICKNESS_NEIGHBOURS,
    least_weight,
    log_height,
    pooled_covariance,
    prior_matrix,
    radii,
    residual_variance,
)
from tensorframes.reps import full_precision

EDGE_INVARIANTS, POINT_INVARIANTS = 11, 3  # numbers of invariant inputs beside the embeddings


class PlaneFit(nn.Module):
    r"""One weighted least-squares plane with the priors of ``WeightedFit``: the normal is the eigenvector of the
    smallest eigenvalue of

    .. math:: C_i + \kappa_i \Big(e^{b_i} (I - g_i g_i^T)
        + \frac{\sum_j w_{ij}\, e^{c_{ij}} (I - g_j g_j^T)}{\sum_j w_{ij}}\Big).

    The weights w and the log strengths c are outputs of a network, b of ``PlaneFitHead``. The inputs of the network are
    the embeddings of i and j, and more invariants than in ``WeightedFit``:

    - of an edge: :math:`|r_{ij}|`; the heights :math:`h = |g_i \cdot r_{ij}|` and :math:`|g_j \cdot r_{ij}|`, also on a
      logarithmic scale; h, measured from the point and from the mean of the previous fit, divided by the thickness
      :math:`\sigma` of that fit (its root mean square height), as residuals in iteratively reweighted least squares
      (Holland and Welsch 1977); :math:`(g_i \cdot g_j)^2`, and :math:`1 - (g_i \cdot g_j)^2` on a logarithmic scale.
    - of the point: the ratios of the eigenvalues of the previous fit, the logarithm of its thickness, and the mean of
      its hidden features over its neighbours.

    At initialisation the weights decrease with the distance and are small at coarse levels: the fit is close to a plane
    through the nearest points. A sequence of such fits converges to the facet that the point lies in.

    Args:
        levels: of the fitted points. hidden: width of the network. embedding: width of the points' embedding.
    """

    def __init__(self, levels: int, hidden: int, embedding: int) -> None:
        super().__init__()
        self.receiver_layer = nn.Linear(embedding + POINT_INVARIANTS + hidden, hidden)
        self.sender_layer = nn.Linear(embedding, hidden, bias=False)
        self.edge_layer = nn.Linear(EDGE_INVARIANTS, hidden, bias=False)
        self.level_embedding = nn.Parameter(torch.zeros(levels, hidden))
        self.weight_net = nn.Sequential(silu(), nn.Linear(hidden, hidden // 2), silu(), nn.Linear(hidden // 2, 1))
        self.level_bias = nn.Parameter(torch.tensor([2.0] + [-3.0] * (levels - 1)))
        self.distance_coefficients = nn.Parameter(torch.full((levels,), 2.0))
        self.strength = nn.Linear(hidden // 2, 1)  # computes c
        with torch.no_grad():
            self.strength.weight.zero_()
            self.strength.bias.fill_(INITIAL_LOG_STRENGTH)

    def forward(
        self,
        neighbourhood: Neighbourhoods,
        others: Tensor,
        previous: Fit,
        prior: Tensor,
        embedding: Tensor,
        senders: Tensor,
    ) -> Fit:
        """Planes of the M points, their normals with the signs of the previous ones.

        Args:
            neighbourhood: the fitted points. others: (M, K, 3) their previous normals g_j.
            previous: the previous fit, or the initial estimate. prior: (M,) b. embedding: (M, E) of the M points.
            senders: (N, hidden) ``sender_layer`` of the embeddings of all points, computed once for all chunks.
        """
        invariants, shape = _invariants(neighbourhood, others, previous.detach())
        hidden = self._hidden(neighbourhood, invariants, shape, previous, embedding, senders)
        level = neighbourhood.level
        bias = self.level_bias[level] - self.distance_coefficients[level] * invariants[..., 0].square()
        features = self.weight_net[1:3](hidden)
        weight = (self.weight_net[3](features).squeeze(-1) + bias).sigmoid() + least_weight(neighbourhood)
        mean, covariance = pooled_covariance(neighbourhood, weight)
        strength = weight * self.strength(features).squeeze(-1).clamp(-8, 8).exp() / weight.sum(-1, keepdim=True)
        priors = prior_matrix(previous.normal, others, prior.clamp(-8, 6).exp().view(-1, 1, 1), strength)
        total = covariance + residual_variance(covariance).view(-1, 1, 1) * priors
        normal, eigenvalues = smallest_eigenvector(total)
        normal = normal * torch.where((normal * previous.normal).sum(-1, keepdim=True) < 0, -1, 1)
        variance = ((covariance * normal.unsqueeze(1)).sum(-1) * normal).sum(-1)
        return Fit(normal, eigenvalues, (mean * normal).sum(-1), variance.clamp_min(0).sqrt(), hidden.mean(1))

    def _hidden(
        self,
        neighbourhood: Neighbourhoods,
        invariants: Tensor,
        shape: Tensor,
        previous: Fit,
        embedding: Tensor,
        senders: Tensor,
    ) -> Tensor:
        """Hidden features (M, K, hidden) of the edges."""
        features = previous.features
        if features is None:
            features = neighbourhood.edge.new_zeros(len(neighbourhood.edge), self.level_embedding.shape[1])
        receivers = self.receiver_layer(torch.cat([embedding, shape, features], dim=-1))
        hidden = self.edge_layer(invariants)
        hidden += senders.index_select(0, neighbourhood.table.flatten()).view_as(hidden)
        hidden += receivers.unsqueeze(1)
        hidden += self.level_embedding[neighbourhood.level]
        activated: Tensor = self.weight_net[0](hidden)
        return activated


def _invariants(neighbourhood: Neighbourhoods, others: Tensor, previous: Fit) -> tuple[Tensor, Tensor]:
    """Invariants of the edges (M, K, EDGE_INVARIANTS), the length over the radius first, and of the points
    (M, POINT_INVARIANTS)."""
    edges = _edges(neighbourhood, others, previous.normal)
    radius = edges.radius[:, :1]
    mean, thickness = previous.height, previous.thickness
    if mean is None or thickness is None:
        nearest = edges.height[:, : min(THICKNESS_NEIGHBOURS, neighbourhood.counts[0])]
        mean = nearest.mean(-1)
        thickness = (nearest - mean.unsqueeze(-1)).square().mean(-1).sqrt()
    mean, thickness = mean.unsqueeze(-1), thickness.unsqueeze(-1)
    deviation, unit = (edges.height - mean).abs(), thickness + HEIGHT_FLOOR * radius
    further = [
        deviation / edges.radius,
        (deviation / unit).clamp(max=MOST_THICKNESSES) / 2,
        (edges.height.abs() / unit).clamp(max=MOST_THICKNESSES) / 2,
        log_height(edges.height.abs() / radius),
        log_height(edges.other_height.abs() / radius),
        (1 - edges.squared_cosine + 1e-4).log() / 4 + 1,
    ]
    shape = torch.cat([_shape(previous, neighbourhood), log_height(thickness / radius)], dim=-1)
    return stacked([*edges.features(), *further]), shape


def _shape(previous: Fit, neighbourhood: Neighbourhoods) -> Tensor:
    """Square roots of the ratios of the two smaller eigenvalues to the largest (M, 2); zeros of an initial estimate."""
    if previous.eigenvalues is None:
        return neighbourhood.edge.new_zeros(len(neighbourhood.rows), 2)
    ratios = previous.eigenvalues[:, :2].clamp_min(0) / safe_divisor(previous.eigenvalues[:, 2:])
    return ratios.sqrt()


@dataclass(frozen=True)
class _Edges:
    """Invariants of edges, each (M, K)."""

    length: Tensor
    radius: Tensor  # of the neighbourhood at the level of the neighbour (``radii``)
    height: Tensor  # signed, along the previous normal of the point
    other_height: Tensor  # signed, along that of the neighbour
    squared_cosine: Tensor  # of the angle between the two normals

    def features(self) -> list[Tensor]:
        """Length, radius, two heights, squared cosine."""
        heights = [height.abs() / self.radius for height in (self.height, self.other_height)]
        return [self.length / self.radius, self.radius.log1p(), *heights, self.squared_cosine]


@full_precision
def _edges(neighbourhood: Neighbourhoods, others: Tensor, normal: Tensor) -> _Edges:
    length, normal = neighbourhood.edge.norm(dim=-1), normal.unsqueeze(-1)
    return _Edges(
        length,
        radii(length, neighbourhood.counts),
        (neighbourhood.edge @ normal).squeeze(-1),
        (neighbourhood.edge * others).sum(-1),
        (others @ normal).squeeze(-1).square(),
    )
