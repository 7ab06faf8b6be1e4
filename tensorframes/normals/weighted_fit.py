"""A least-squares plane whose weights a network computes from invariants of each neighbour."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tensorframes.layers import Geometry, Requirements, largest_eigenvector, silu
from tensorframes.normals.candidates import by_axis, stacked
from tensorframes.normals.degenerate import RANK
from tensorframes.normals.neighbourhoods import Neighbourhoods, neighbourhoods
from tensorframes.parallel import parallel_map
from tensorframes.reps import full_precision

FIRST = 18  # nearest points whose heights measure how thick the cloud is
FLOOR = 3e-3  # of the reach: below it heights are alike, well above what float32 leaves of a flat cloud
AGREED = -4.0  # logarithm of what the normals of fitted points count before training
LEAST = 1e-4  # weight of a point, so that some always count
MOST_COUNTED = 3.0  # mean counts of a level that a coarse point's least weight stands for at most,
FARTHEST = 24.0  # and how far it is, in reaches of the fine points, when that fades
FAR = 8.0  # thicknesses; from there on a height is simply far
INVARIANTS = 7  # of an edge


class WeightedFit(nn.Module):
    r"""One weighted least-squares plane with a prior, as in Lenssen et al. (CVPR 2020), with coarse points and priors.

    With :math:`\bar r = \sum_j w_{ij} r_{ij} / \sum_j w_{ij}`, the normal is the eigenvector of the smallest eigenvalue
    of

    .. math:: C_i + \kappa_i \Big(e^{b_i} (I - g_i g_i^T)
        + \frac{\sum_j w_{ij}\, e^{c_{ij}} (I - g_j g_j^T)}{\sum_j w_{ij}}\Big), \qquad
        C_i = \frac{\sum_j w_{ij} (r_{ij} - \bar r)(r_{ij} - \bar r)^T}{\sum_j w_{ij}},

    with g the estimates before, and :math:`\kappa_i = \det C_i / \operatorname{tr} \operatorname{adj} C_i` about the
    smallest eigenvalue of C: the residual of the fit sets how much the prior is worth, so that points in a plane give
    the plane's normal whatever the network says. The second term of the prior is bilateral normal filtering (Zheng et
    al. 2011): neighbours have seen other points.

    The weights w are sigmoids, and c a second output, of a perceptron of the embeddings of i and j and of invariants:
    :math:`|r_{ij}|`, the heights :math:`|g_i \cdot r_{ij}|` and :math:`|g_j \cdot r_{ij}|` on a logarithmic scale, the
    former also over the thickness of the 18 nearest points, as iteratively reweighted least squares weighs by residuals
    (Holland and Welsch 1977), and :math:`1 - (g_i \cdot g_j)^2`. They fall off with the distance before
    training, and coarse levels start low: untrained, it is close to a plane through the nearest points.

    Args:
        embedding: width of the points' embedding.
        neighbours: numbers of fitted points of level 0, 1, ...; 0 for none. Coarse points stand for all points of level
            0 that they represent, by their pooled moments.
        hidden: width of the network.
    """

    def __init__(self, embedding: int, neighbours: Sequence[int], hidden: int = 16) -> None:
        super().__init__()
        if not neighbours or neighbours[0] < 3 or min(neighbours) < 0:
            raise ValueError(f"expected at least 3 neighbours at level 0 and none below 0, got {list(neighbours)}")
        if hidden < 2:
            raise ValueError(f"expected hidden >= 2, got {hidden}")
        self.neighbours, levels = tuple(neighbours), len(neighbours)
        self.receiver = nn.Linear(embedding + 1, hidden)
        self.sender = nn.Linear(embedding, hidden, bias=False)
        self.edge = nn.Linear(INVARIANTS, hidden, bias=False)
        self.level = nn.Parameter(torch.zeros(levels, hidden))
        out = nn.Linear(hidden // 2, 2)
        self.net = nn.Sequential(silu(), nn.Linear(hidden, hidden // 2), silu(), out)
        self.prior = nn.Linear(embedding, 1)
        self.level_bias = nn.Parameter(torch.tensor([2.0] + [-3.0] * (levels - 1)))
        self.narrowness = nn.Parameter(torch.full((levels,), 2.0))
        with torch.no_grad():
            out.weight[1].zero_()
            out.bias[1].fill_(AGREED)
            self.prior.weight.zero_()
            self.prior.bias.zero_()

    @property
    def requirements(self) -> Requirements:
        """The quantities that it requires of the geometry."""
        return Requirements(neighbours=self.neighbours[0], moments=True, levels=len(self.neighbours))

    def plan(self, geometry: Geometry, rows: Tensor) -> Neighbourhoods:
        """The fitted points of rows (M,), ascending."""
        return neighbourhoods(geometry, rows, self.neighbours, geometry.moments)

    def forward(self, near: Neighbourhoods, normals: Tensor, embedding: Tensor, size: int) -> Tensor:
        """Unit normals (M, 3) of the M points, toward the estimates.

        Args:
            near: ``plan``. normals: (N, 3) estimates at all points. embedding: (N, E) of all points. size: number of
                points that are computed at once.
        """
        sent = self.sender(embedding)
        parts = parallel_map(lambda part: self.of(part, normals, embedding, sent), near.split(size), embedding.device)
        return torch.cat(parts)

    def of(self, near: Neighbourhoods, normals: Tensor, embedding: Tensor, sent: Tensor) -> Tensor:
        """The same of some points; sent (N, hidden) is ``sender(embedding)``."""
        flat, own = near.table.flatten(), normals.index_select(0, near.rows)
        sights = normals.detach().index_select(0, flat).view_as(near.edge)
        invariants, thickness = known(near, sights, own.detach())
        point = embedding.index_select(0, near.rows)
        hidden = self.edge(invariants.to(point.dtype))
        hidden += sent.index_select(0, flat).view_as(hidden)
        hidden += self.receiver(torch.cat([point, thickness.to(point.dtype)], dim=-1)).unsqueeze(1)
        hidden += self.level[near.kind]
        weight, agreed = self.net(hidden).to(near.edge.dtype).unbind(-1)
        start = self.level_bias[near.kind] - self.narrowness[near.kind] * invariants[..., 0].square()
        weight = (weight + start).sigmoid() + least_weight(near)
        return self.plane(near, own, sights, weight, agreed, self.prior(point).to(near.edge.dtype))

    @full_precision
    def plane(
        self, near: Neighbourhoods, own: Tensor, sights: Tensor, weight: Tensor, agreed: Tensor, prior: Tensor
    ) -> Tensor:
        """Normals (M, 3), from the weights (M, K), their c (M, K) and b (M, 1)."""
        _, covariance = spread_covariance(near, weight)
        share = weight * agreed.clamp(-8, 8).exp() / weight.sum(-1, keepdim=True)
        held = prior.clamp(-8, 6).exp().unsqueeze(-1) * tangents(own.unsqueeze(1)) + tangents(sights, share)
        normal = largest_eigenvector(-covariance - residual(covariance).view(-1, 1, 1) * held)
        return normal * torch.where((normal * own).sum(-1, keepdim=True) < 0, -1, 1)


@full_precision
@torch.no_grad()
def known(near: Neighbourhoods, sights: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """Invariants of the edges (M, K, 7), their lengths over the reach first, and of the points (M, 1), from estimates
    at the neighbours (M, K, 3) and at the points (M, 3)."""
    edge, seen, own = by_axis(near.edge), by_axis(sights), by_axis(own).unsqueeze(-1)
    length, height = edge.square().sum(0).sqrt(), (edge * own).sum(0)
    far_height, agreement = (edge * seen).sum(0).abs(), (seen * own).sum(0).square()
    reach = reach_of(length, near.counts)
    nearest = height[:, : min(FIRST, near.counts[0])]
    centre = nearest.mean(-1, keepdim=True)
    thickness = (nearest - centre).square().mean(-1, keepdim=True).sqrt()
    off, unit, height = (height - centre).abs(), thickness + FLOOR * reach[:, :1], height.abs()
    numbers = [
        length / reach,
        reach.log1p(),
        (off / unit).clamp(max=FAR) / 2,
        (height / unit).clamp(max=FAR) / 2,
        logarithm(height / reach[:, :1]),
        logarithm(far_height / reach[:, :1]),
        (1 - agreement + 1e-4).log() / 4 + 1,
    ]
    return stacked(numbers), logarithm(thickness / reach[:, :1])


def logarithm(share: Tensor) -> Tensor:
    """A share in [0, 1] on a logarithmic scale from the floor up, about -1 to 1."""
    return (share + FLOOR).log() / 3 + 1


@full_precision
def weighted_covariance(edge: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (M, d) and covariance (M, d, d) of edges (M, K, d), with weights (M, K) that need not sum to one."""
    share = (weight / weight.sum(-1, keepdim=True)).unsqueeze(-1)
    mean = (share * edge).sum(1)
    centred = edge - mean.unsqueeze(1)
    return mean, (share * centred).transpose(1, 2) @ centred


@full_precision
def spread_covariance(near: Neighbourhoods, weight: Tensor) -> tuple[Tensor, Tensor]:
    """``weighted_covariance`` of all the points that coarse ones stand for, where their pooled moments are given."""
    if near.coarse is None or near.moments is None or near.moments.covariance is None:
        return weighted_covariance(near.edge, weight)
    flat, coarse = near.coarse.flatten(), weight[:, -near.coarse.shape[1] :]
    coarse = coarse * near.moments.count.index_select(0, flat).view_as(near.coarse)
    weight = torch.cat([weight[:, : -near.coarse.shape[1]], coarse], dim=1)
    mean, fit = weighted_covariance(near.edge, weight)
    inner = near.moments.covariance.flatten(1).index_select(0, flat).view(*near.coarse.shape, fit.shape[1:].numel())
    share = (coarse / weight.sum(-1, keepdim=True)).unsqueeze(1)
    return mean, fit + (share @ inner).view_as(fit)


@full_precision
def least_weight(near: Neighbourhoods) -> Tensor:
    """What is added to the weights (M, K) of fitted points, so that some always count.

    Where density spans decades a coarse point stands for thousands of points, thousands of reaches away: what is added
    to its weight is divided by its count above MOST_COUNTED, and fades beyond FARTHEST reaches.
    """
    fine = near.counts[0]
    added = torch.full_like(near.edge[..., 0], LEAST)
    if fine == 0 or fine == added.shape[1]:
        return added
    square = near.edge.square().sum(-1)
    reach = square[:, :fine].amax(-1, keepdim=True)
    reach = torch.where(reach > 0, reach, torch.ones_like(reach))
    added[:, fine:] *= (-square[:, fine:] / (reach * FARTHEST**2)).exp()
    if near.coarse is not None and near.moments is not None:
        count = near.moments.count.index_select(0, near.coarse.flatten()).view_as(near.coarse)
        added[:, fine:] /= (count / MOST_COUNTED).clamp_min(1)
    return added


@full_precision
def tangents(normal: Tensor, share: Tensor | None = None) -> Tensor:
    """Sums of I - n n^T (M, 3, 3) over normals (M, K, 3), each with its share (M, K), or 1."""
    shared = normal if share is None else share.unsqueeze(-1) * normal
    trace = normal.shape[1] if share is None else share.sum(-1).view(-1, 1, 1)
    return trace * torch.eye(3, dtype=normal.dtype, device=normal.device) - shared.transpose(1, 2) @ normal


def residual(covariance: Tensor) -> Tensor:
    r"""det C / tr adj C = 1 / tr C^{-1} (M,): a third of the smallest eigenvalue up to all of it; 0 where singular."""
    a, b, c = covariance.unbind(-1)
    determinant = (a * torch.linalg.cross(b, c)).sum(-1)
    trace = covariance.diagonal(dim1=-2, dim2=-1).sum(-1)
    second = (trace.square() - (covariance * covariance).sum((-2, -1))) / 2
    usable = (second > RANK * trace.square()) & (determinant > 0)
    return torch.where(usable, determinant, 0) / torch.where(usable, second, torch.ones_like(second))


def reach_of(length: Tensor, counts: Sequence[int]) -> Tensor:
    """The longest edge of each level's neighbours, for each edge (M, K), kept positive."""
    found = []
    for each in length.split([count for count in counts if count], dim=1):
        longest = each.amax(-1, keepdim=True)
        found.append(torch.where(longest > 0, longest, torch.ones_like(longest)).expand_as(each))
    return torch.cat(found, dim=1)
