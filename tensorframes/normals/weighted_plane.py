"""A least-squares plane whose weights a network computes from invariants of each neighbour; of ``PlaneFitHead``."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tensorframes.layers import silu, smallest_eigenvector
from tensorframes.normals.candidates import stacked
from tensorframes.normals.fit import Fit
from tensorframes.normals.neighbourhoods import Neighbourhoods
from tensorframes.normals.weighted_fit import (
    AGREED,
    FAR,
    FIRST,
    FLOOR,
    least_weight,
    logarithm,
    reach_of,
    residual,
    spread_covariance,
    tangents,
)
from tensorframes.reps import full_precision

OF_EDGE, OF_POINT = 11, 3  # numbers of invariants beside the embeddings


class PlaneFit(nn.Module):
    r"""One weighted least-squares plane with a prior.

    With :math:`\bar r = \sum_j w_{ij} r_{ij} / \sum_j w_{ij}`, the normal is the eigenvector of the smallest eigenvalue
    of

    .. math:: C_i = \frac{\sum_j w_{ij} (r_{ij} - \bar r)(r_{ij} - \bar r)^T}{\sum_j w_{ij}}
        + e^{b_i} \kappa_i\, (I - g_i g_i^T), \qquad \kappa_i = \det C_i^0 / \operatorname{tr} \operatorname{adj} C_i^0,

    :math:`C^0` the first term and g the normal before. kappa is about the smallest eigenvalue of :math:`C^0`: the
    residual of the fit sets how much the prior is worth, so that points in a plane give the plane's normal whatever the
    network says. Weights are sigmoids of invariants: :math:`|r_{ij}|`, the heights :math:`|g_i \cdot r_{ij}|` and
    :math:`|g_j \cdot r_{ij}|`, :math:`(g_i \cdot g_j)^2`, the shape of the fit before (its eigenvalues' ratios), and
    the embeddings of i and j. They fall off with the distance from the start, and coarse levels start low:
    untrained, it is close to a plane through the nearest points.

    The prior holds the normals before of the fitted points, too:

    .. math:: C_i \mathrel{+}= \kappa_i\, \frac{\sum_j w_{ij}\, e^{c_{ij}} (I - g_j g_j^T)}{\sum_j w_{ij}},

    c a second number the network gives of each edge, w here without the counts of what coarse points stand for.
    Neighbours have seen other points: on smooth surfaces the mean of their normals is better than the plane of one
    neighbourhood, and beside an edge the network selects among them, as in bilateral normal filtering (Zheng et al.
    2011). To begin with all are taken alike, and count little.

    Further invariants of an edge are its height :math:`h = g_i \cdot r_{ij}` over the thickness
    :math:`\sigma` of the fit before (its root mean square height), measured from the point and from that fit's mean,
    as iteratively reweighted least squares weighs by residuals (Holland and Welsch 1977, *Robust regression using
    iteratively reweighted least-squares*); the logarithms of :math:`|h|`, of the neighbour's
    :math:`|g_j \cdot r_{ij}|` and of :math:`1 - (g_i \cdot g_j)^2`, so that points in one facet stand out from
    points hardly off it; and of the point the logarithm of the thickness, and the mean over its neighbours of
    the hidden features of the fit before. Several fits in turn close in on the facet that the point lies in.

    Args:
        levels: of the fitted points. hidden: width of the network. embedding: width of the points' embedding.
    """

    def __init__(self, levels: int, hidden: int, embedding: int) -> None:
        super().__init__()
        self.receiver = nn.Linear(embedding + OF_POINT + hidden, hidden)
        self.sender = nn.Linear(embedding, hidden, bias=False)
        self.geometry = nn.Linear(OF_EDGE, hidden, bias=False)
        self.level = nn.Parameter(torch.zeros(levels, hidden))
        self.weigh = nn.Sequential(silu(), nn.Linear(hidden, hidden // 2), silu(), nn.Linear(hidden // 2, 1))
        self.level_bias = nn.Parameter(torch.tensor([2.0] + [-3.0] * (levels - 1)))
        self.narrowness = nn.Parameter(torch.full((levels,), 2.0))
        self.agreed = nn.Linear(hidden // 2, 1)
        with torch.no_grad():
            self.agreed.weight.zero_()
            self.agreed.bias.fill_(AGREED)

    def forward(
        self, near: Neighbourhoods, normals: Tensor, before: Fit, prior: Tensor, embedding: Tensor, sent: Tensor
    ) -> Fit:
        """Planes of the M points, their normals toward the ones before.

        Args:
            near: which points are fitted. normals: (M, K, 3) before, at these.
            before: the fit before, or the guess. prior: (M,) b. embedding: (M, T) of these points. sent: (N, hidden)
                ``sender`` of the embeddings of all points, computed once for all parts.
        """
        edge, kind, table, own = near.edge, near.kind, near.table, before.normal
        invariants, shape = _invariants(near, normals, before.detach())
        features = edge.new_zeros(len(edge), self.level.shape[1]) if before.features is None else before.features
        receivers = self.receiver(torch.cat([embedding, shape, features], dim=-1))
        hidden = self.geometry(invariants)
        hidden += sent.index_select(0, table.flatten()).view_as(hidden)
        hidden += receivers.unsqueeze(1)
        hidden += self.level[kind]
        hidden = self.weigh[0](hidden)
        start = self.level_bias[kind] - self.narrowness[kind] * invariants[..., 0].square()
        features = self.weigh[1:3](hidden)
        weight = (self.weigh[3](features).squeeze(-1) + start).sigmoid() + least_weight(near)
        mean, fit = spread_covariance(near, weight)
        share = weight * self.agreed(features).squeeze(-1).clamp(-8, 8).exp() / weight.sum(-1, keepdim=True)
        priors = prior.clamp(-8, 6).exp().view(-1, 1, 1) * tangents(own.unsqueeze(1)) + tangents(normals, share)
        total = fit + residual(fit).view(-1, 1, 1) * priors
        normal, values = smallest_eigenvector(total)
        normal = normal * torch.where((normal * own).sum(-1, keepdim=True) < 0, -1, 1)
        variance = ((fit * normal.unsqueeze(1)).sum(-1) * normal).sum(-1)
        return Fit(normal, values, (mean * normal).sum(-1), variance.clamp_min(0).sqrt(), hidden.mean(1))


def _invariants(near: Neighbourhoods, normals: Tensor, before: Fit) -> tuple[Tensor, Tensor]:
    """Invariants of the edges (M, K, OF_EDGE), their lengths first, and of the points (M, OF_POINT)."""
    edges = _edges(near, normals, before.normal)
    reach = edges.reach[:, :1]
    centre, thickness = before.centre, before.thickness
    if centre is None or thickness is None:
        nearest = edges.height[:, : min(FIRST, near.counts[0])]
        centre = nearest.mean(-1)
        thickness = (nearest - centre.unsqueeze(-1)).square().mean(-1).sqrt()
    centre, thickness = centre.unsqueeze(-1), thickness.unsqueeze(-1)
    off = (edges.height - centre).abs()
    unit = thickness + FLOOR * reach
    more = [
        off / edges.reach,
        (off / unit).clamp(max=FAR) / 2,
        (edges.height.abs() / unit).clamp(max=FAR) / 2,
        logarithm(edges.height.abs() / reach),
        logarithm(edges.far_height.abs() / reach),
        (1 - edges.agreement + 1e-4).log() / 4 + 1,
    ]
    shape = torch.cat([_shape(before, near), logarithm(thickness / reach)], dim=-1)
    return stacked([*edges.plain(), *more]), shape


def _shape(before: Fit, near: Neighbourhoods) -> Tensor:
    """Square roots of the two smaller eigenvalues over the largest (M, 2): how thick and wide the fit before was; zeros
    of a guess."""
    if before.values is None:
        return near.edge.new_zeros(len(near.rows), 2)
    largest = before.values[:, 2:]
    ratios = before.values[:, :2].clamp_min(0) / torch.where(largest > 0, largest, torch.ones_like(largest))
    return ratios.sqrt()


@dataclass(frozen=True)
class _Edges:
    """Invariants of edges, each (M, K)."""

    length: Tensor
    reach: Tensor  # the longest edge of the same level's
    height: Tensor  # along the point's own normal, signed
    far_height: Tensor  # along the neighbour's, signed
    agreement: Tensor  # squared cosine between the two normals

    def plain(self) -> list[Tensor]:
        """Distance, reach, two heights, agreement."""
        heights = [height.abs() / self.reach for height in (self.height, self.far_height)]
        return [self.length / self.reach, self.reach.log1p(), *heights, self.agreement]


@full_precision
def _edges(near: Neighbourhoods, normals: Tensor, own: Tensor) -> _Edges:
    length, own = near.edge.norm(dim=-1), own.unsqueeze(-1)
    return _Edges(
        length,
        reach_of(length, near.counts),
        (near.edge @ own).squeeze(-1),
        (near.edge * normals).sum(-1),
        (normals @ own).squeeze(-1).square(),
    )
