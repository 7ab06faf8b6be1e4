"""A least-squares plane whose weights a network computes from invariants of each neighbour."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tensorframes.layers import Geometry, Requirements, largest_eigenvector, silu
from tensorframes.normals.candidates import by_axis, safe_divisor, stacked
from tensorframes.normals.degenerate import RANK
from tensorframes.normals.neighbourhoods import Neighbourhoods, neighbourhoods
from tensorframes.parallel import parallel_map
from tensorframes.reps import full_precision

THICKNESS_NEIGHBOURS = 18  # nearest points whose heights measure the thickness of the cloud
HEIGHT_FLOOR = 3e-3  # of heights over the neighbourhood's radius, well above float32's rounding on a flat cloud
INITIAL_LOG_STRENGTH = -4.0  # c at initialisation: the neighbours' estimates have little weight
LEAST_WEIGHT = 1e-4  # added to the weight of each point, so that their sum is positive
MOST_COUNT = 3.0  # above this count, relative to its level's mean, a coarse point's least weight is divided by it
FADE_RADII = 24.0  # distance, in radii of the fine neighbourhood, at which a coarse point's least weight has faded
MOST_THICKNESSES = 8.0  # heights are clamped at this multiple of the thickness
INVARIANTS = 7  # of an edge


class WeightedFit(nn.Module):
    r"""One weighted least-squares plane, as in Lenssen et al. (CVPR 2020), with coarse points and priors in addition.

    With :math:`\bar r_i = \sum_j w_{ij} r_{ij} / \sum_j w_{ij}`, the normal is the eigenvector of the smallest
    eigenvalue of

    .. math:: C_i + \kappa_i \Big(e^{b_i} (I - g_i g_i^T)
        + \frac{\sum_j w_{ij}\, e^{c_{ij}} (I - g_j g_j^T)}{\sum_j w_{ij}}\Big), \qquad
        C_i = \frac{\sum_j w_{ij} (r_{ij} - \bar r_i)(r_{ij} - \bar r_i)^T}{\sum_j w_{ij}},

    with g the previous estimates. :math:`\kappa_i = \det C_i / \operatorname{tr} \operatorname{adj} C_i` is close to
    the smallest eigenvalue of C, the residual variance of the fit. The priors are thus proportional to the residual,
    and points that lie exactly in a plane give its normal for any output of the network. The first prior is the
    estimate of the point itself, the second those of its neighbours, as in bilateral normal filtering (Zheng et al.
    2011).

    The weights w are sigmoids, and c a second output, of a perceptron of the embeddings of i and j and of invariants:
    :math:`|r_{ij}|`, the heights :math:`|g_i \cdot r_{ij}|` and :math:`|g_j \cdot r_{ij}|` on a logarithmic scale, the
    former also divided by the thickness of the 18 nearest points, as residuals in iteratively reweighted least squares
    (Holland and Welsch 1977), and :math:`1 - (g_i \cdot g_j)^2`. At initialisation the weights decrease with the
    distance and are small at coarse levels: the fit is close to a plane through the nearest points.

    Args:
        embedding: width E of the points' embedding.
        neighbours: numbers of fitted points of level 0, 1, ...; 0 for none. Coarse points contribute the pooled moments
            of all points of level 0 that they represent.
        hidden: width of the network.

    Raises:
        ValueError: fewer than three neighbours at level 0, or a number that is too small.
    """

    def __init__(self, embedding: int, neighbours: Sequence[int], hidden: int = 16) -> None:
        super().__init__()
        if not neighbours or neighbours[0] < 3 or min(neighbours) < 0:
            raise ValueError(f"expected at least 3 neighbours at level 0 and none below 0, got {list(neighbours)}")
        if hidden < 2:
            raise ValueError(f"expected hidden >= 2, got {hidden}")
        self.neighbours, levels = tuple(neighbours), len(neighbours)
        self.receiver_layer = nn.Linear(embedding + 1, hidden)
        self.sender_layer = nn.Linear(embedding, hidden, bias=False)
        self.edge_layer = nn.Linear(INVARIANTS, hidden, bias=False)
        self.level_embedding = nn.Parameter(torch.zeros(levels, hidden))
        out = nn.Linear(hidden // 2, 2)
        self.net = nn.Sequential(silu(), nn.Linear(hidden, hidden // 2), silu(), out)
        self.prior = nn.Linear(embedding, 1)
        self.level_bias = nn.Parameter(torch.tensor([2.0] + [-3.0] * (levels - 1)))
        self.distance_coefficients = nn.Parameter(torch.full((levels,), 2.0))
        with torch.no_grad():
            out.weight[1].zero_()
            out.bias[1].fill_(INITIAL_LOG_STRENGTH)
            self.prior.weight.zero_()
            self.prior.bias.zero_()

    @property
    def requirements(self) -> Requirements:
        """The quantities that it requires of the geometry."""
        return Requirements(neighbours=self.neighbours[0], moments=True, levels=len(self.neighbours))

    def plan(self, geometry: Geometry, rows: Tensor) -> Neighbourhoods:
        """The fitted points of points (M,), ascending."""
        return neighbourhoods(geometry, rows, self.neighbours, geometry.moments)

    def forward(self, neighbourhood: Neighbourhoods, estimates: Tensor, embedding: Tensor, size: int) -> Tensor:
        """Unit normals (M, 3) of the M points, with the signs of the estimates.

        Args:
            neighbourhood: ``plan``. estimates: (N, 3) g at all points. embedding: (N, E) of all points. size: number of
                points in a chunk.
        """
        senders = self.sender_layer(embedding)
        chunks = neighbourhood.split(size)
        normals = parallel_map(lambda each: self.fit(each, estimates, embedding, senders), chunks, embedding.device)
        return torch.cat(normals)

    def fit(self, neighbourhood: Neighbourhoods, estimates: Tensor, embedding: Tensor, senders: Tensor) -> Tensor:
        """The normals of one chunk; senders (N, hidden) is ``sender_layer(embedding)``."""
        index, level = neighbourhood.table.flatten(), neighbourhood.level
        estimate = estimates.index_select(0, neighbourhood.rows)
        others = estimates.detach().index_select(0, index).view_as(neighbourhood.edge)
        invariants, thickness = edge_invariants(neighbourhood, others, estimate.detach())
        point = embedding.index_select(0, neighbourhood.rows)
        hidden = self.edge_layer(invariants.to(point.dtype))
        hidden += senders.index_select(0, index).view_as(hidden)
        hidden += self.receiver_layer(torch.cat([point, thickness.to(point.dtype)], dim=-1)).unsqueeze(1)
        hidden += self.level_embedding[level]
        logit, log_strength = self.net(hidden).to(neighbourhood.edge.dtype).unbind(-1)
        bias = self.level_bias[level] - self.distance_coefficients[level] * invariants[..., 0].square()
        weight = (logit + bias).sigmoid() + least_weight(neighbourhood)
        prior = self.prior(point).to(neighbourhood.edge.dtype)
        return self.normals(neighbourhood, estimate, others, weight, log_strength, prior)

    @full_precision
    def normals(
        self,
        neighbourhood: Neighbourhoods,
        estimate: Tensor,
        others: Tensor,
        weight: Tensor,
        log_strength: Tensor,
        prior: Tensor,
    ) -> Tensor:
        """Normals (M, 3) from g_i (M, 3), g_j (M, K, 3), w (M, K), c (M, K) and b (M, 1)."""
        _, covariance = pooled_covariance(neighbourhood, weight)
        strength = weight * log_strength.clamp(-8, 8).exp() / weight.sum(-1, keepdim=True)
        priors = prior_matrix(estimate, others, prior.clamp(-8, 6).exp().unsqueeze(-1), strength)
        normal = largest_eigenvector(-covariance - residual_variance(covariance).view(-1, 1, 1) * priors)
        return normal * torch.where((normal * estimate).sum(-1, keepdim=True) < 0, -1, 1)


@full_precision
def prior_matrix(estimate: Tensor, others: Tensor, own_strength: Tensor, strength: Tensor) -> Tensor:
    """s_i (I - g_i g_i^T) + sum_j s_ij (I - g_j g_j^T), (M, 3, 3), of g_i (M, 3), g_j (M, K, 3), s_i (M, 1, 1) and s_ij
    (M, K)."""
    return own_strength * tangent_projectors(estimate.unsqueeze(1)) + tangent_projectors(others, strength)


@full_precision
@torch.no_grad()
def edge_invariants(neighbourhood: Neighbourhoods, others: Tensor, estimate: Tensor) -> tuple[Tensor, Tensor]:
    """Invariants of the edges (M, K, 7), with the length over the radius first, and of the points (M, 1), from the
    estimates at the neighbours (M, K, 3) and at the points (M, 3)."""
    edge, others, estimate = by_axis(neighbourhood.edge), by_axis(others), by_axis(estimate).unsqueeze(-1)
    length, height = edge.square().sum(0).sqrt(), (edge * estimate).sum(0)
    other_height, squared_cosine = (edge * others).sum(0).abs(), (others * estimate).sum(0).square()
    radius = radii(length, neighbourhood.counts)
    nearest = height[:, : min(THICKNESS_NEIGHBOURS, neighbourhood.counts[0])]
    mean = nearest.mean(-1, keepdim=True)
    thickness = (nearest - mean).square().mean(-1, keepdim=True).sqrt()
    unit = thickness + HEIGHT_FLOOR * radius[:, :1]
    deviation, height = (height - mean).abs(), height.abs()
    invariants = [
        length / radius,
        radius.log1p(),
        (deviation / unit).clamp(max=MOST_THICKNESSES) / 2,
        (height / unit).clamp(max=MOST_THICKNESSES) / 2,
        log_height(height / radius[:, :1]),
        log_height(other_height / radius[:, :1]),
        (1 - squared_cosine + 1e-4).log() / 4 + 1,
    ]
    return stacked(invariants), log_height(thickness / radius[:, :1])


def log_height(ratio: Tensor) -> Tensor:
    """The feature log(ratio + HEIGHT_FLOOR) / 3 + 1 of heights over the radius: about -1 for 0, 1 for 1."""
    return (ratio + HEIGHT_FLOOR).log() / 3 + 1


@full_precision
def weighted_covariance(edge: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (M, d) and covariance (M, d, d) of edges (M, K, d) with weights (M, K), which are normalised."""
    weight = (weight / weight.sum(-1, keepdim=True)).unsqueeze(-1)
    mean = (weight * edge).sum(1)
    centred = edge - mean.unsqueeze(1)
    return mean, (weight * centred).transpose(1, 2) @ centred


@full_precision
def pooled_covariance(neighbourhood: Neighbourhoods, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (M, 3) and covariance (M, 3, 3) of the fitted points with weights (M, K); coarse points with pooled moments
    contribute their counts and covariances, too."""
    rows, moments = neighbourhood.coarse, neighbourhood.moments
    if rows is None or moments is None or moments.covariance is None:
        return weighted_covariance(neighbourhood.edge, weight)
    index, coarse = rows.flatten(), weight[:, -rows.shape[1] :]
    coarse = coarse * moments.count.index_select(0, index).view_as(rows)
    weight = torch.cat([weight[:, : -rows.shape[1]], coarse], dim=1)
    mean, between = weighted_covariance(neighbourhood.edge, weight)
    within = moments.covariance.flatten(1).index_select(0, index).view(*rows.shape, between.shape[1:].numel())
    coarse = (coarse / weight.sum(-1, keepdim=True)).unsqueeze(1)
    return mean, between + (coarse @ within).view_as(between)


@full_precision
def least_weight(neighbourhood: Neighbourhoods) -> Tensor:
    """The constant (M, K) that is added to the weights of fitted points, so that their sum is positive.

    If the density varies by orders of magnitude, a coarse point may represent thousands of points, thousands of radii
    away. Its constant is therefore divided by its count above MOST_COUNT, and decays over FADE_RADII.
    """
    fine = neighbourhood.counts[0]
    least = torch.full_like(neighbourhood.edge[..., 0], LEAST_WEIGHT)
    if fine == 0 or fine == least.shape[1]:
        return least
    squared = neighbourhood.edge.square().sum(-1)
    squared_radius = safe_divisor(squared[:, :fine].amax(-1, keepdim=True))
    least[:, fine:] *= (-squared[:, fine:] / (squared_radius * FADE_RADII**2)).exp()
    if neighbourhood.coarse is not None and neighbourhood.moments is not None:
        count = neighbourhood.moments.count.index_select(0, neighbourhood.coarse.flatten())
        least[:, fine:] /= (count.view_as(neighbourhood.coarse) / MOST_COUNT).clamp_min(1)
    return least


@full_precision
def tangent_projectors(normal: Tensor, weight: Tensor | None = None) -> Tensor:
    """Sums over k of w_k (I - n_k n_k^T), (M, 3, 3), of normals (M, K, 3) and weights (M, K), by default 1."""
    weighted = normal if weight is None else weight.unsqueeze(-1) * normal
    total = normal.shape[1] if weight is None else weight.sum(-1).view(-1, 1, 1)
    return total * torch.eye(3, dtype=normal.dtype, device=normal.device) - weighted.transpose(1, 2) @ normal


def residual_variance(covariance: Tensor) -> Tensor:
    r"""kappa = det C / tr adj C = 1 / tr C^{-1} (M,): between a third of the smallest eigenvalue and all of it; 0 for
    singular matrices."""
    a, b, c = covariance.unbind(-1)
    determinant = (a * torch.linalg.cross(b, c)).sum(-1)
    trace = covariance.diagonal(dim1=-2, dim2=-1).sum(-1)
    adjugate_trace = (trace.square() - (covariance * covariance).sum((-2, -1))) / 2
    regular = (adjugate_trace > RANK * trace.square()) & (determinant > 0)
    return torch.where(regular, determinant, 0) / torch.where(regular, adjugate_trace, torch.ones_like(adjugate_trace))


def radii(length: Tensor, counts: Sequence[int]) -> Tensor:
    """For each edge of lengths (M, K) the longest edge to the same level, 1 where that is zero."""
    columns = []
    for lengths in length.split([count for count in counts if count], dim=1):
        columns.append(safe_divisor(lengths.amax(-1, keepdim=True)).expand_as(lengths))
    return torch.cat(columns, dim=1)
