"""A soft selection among planes of few points, by their inliers; a part of the initial estimate of ``PlaneFitHead``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tensorframes.geometry import Hierarchy
from tensorframes.layers import silu
from tensorframes.normals.candidates import SIZE_NEIGHBOURS, linear_step, safe_divisor
from tensorframes.normals.concatenate import concatenated
from tensorframes.normals.inliers import checked_tolerances, distance_weight, inlier_counts, spanned_plane
from tensorframes.normals.sources import NOT_COLLINEAR, SmallPlanes, small_planes
from tensorframes.parallel import parallel_map
from tensorframes.reps import full_precision

HEIGHT_FLOOR = 1e-3  # of heights in units of the neighbourhood's size, in logarithms
CLOSEST = 12  # nearest points, the point itself included, of the second, unweighted inlier ratio
LOGIT_SCALE = 15.0  # coefficients of the inlier ratios in the logits are in this unit


@dataclass(frozen=True)
class SmallPlaneTable:
    """The small planes of all N points, from which candidates are gathered."""

    pos: Tensor  # (N, 3)
    table: Tensor  # (N, K) rows of the nearest points, the point itself first
    planes: SmallPlanes  # (N, S, ...) of S sizes


@dataclass(frozen=True)
class SmallPlaneCandidates:
    """C candidate planes of each of M points."""

    normal: Tensor  # (M, C, 3) up to sign
    features: Tensor  # (M, C, 2 T + 5) two inlier ratios for each of T tolerances, then features of the plane
    validity: Tensor  # (M, C) in [0, 1]


class _Planes(NamedTuple):
    """Planes of one size, each (M, C, ...)."""

    normal: Tensor
    variance: Tensor  # mean squared height of the fitted points
    height: Tensor  # of the fitted points' mean above the point
    validity: Tensor
    distance: Tensor  # to the point whose plane it is, or the farther one of a pair
    size: Tensor  # ``_size_feature``


class SmallPlaneSelection(nn.Module):
    r"""The mean of candidate planes, weighted by probabilities that a network computes from their inliers:

    .. math:: V_i = e^{s_i} \sum_c p_{ic}\, n_{ic} n_{ic}^T, \qquad
        p_{ic} = u_{ic} e^{z_{ic}} / \textstyle\sum_d u_{id} e^{z_{id}}

    The candidates c of a point are small planes, fitted to few nearest points, of the point and of its neighbours:
    beside an edge the fitted points of some neighbour lie within the facet of the point. Their normals are taken for
    planes through the point. Further candidates are planes of minimal samples, the point and two of its nearest
    neighbours, for facets with hardly more points. The validity :math:`u_{ic}` is 1, and falls to 0 where the points of
    c become collinear or isotropic; V is multiplied by the largest of them. The logits z are a network's function of
    the inlier ratios

    .. math:: \nu_t(c) = \sum_j g_{ij} \left(1 + (n_{ic} \cdot r_{ij} / \tau_t l_i)^4\right)^{-1}, \qquad
        \textstyle\sum_j g_{ij} = 1,

    of the nearest points j at tolerances :math:`\tau_t` (inliers as in RANSAC, Fischler and Bolles 1981; for normals at
    edges see Boulch and Marlet 2012, *Fast and robust normal estimation for point clouds with sharp features*), the
    variance and the height of the candidate, the agreement with the network's own tensor,
    :math:`n_{ic}^T S_i\, n_{ic} / |S_i|`, and the embedding of the point; the log strength s is linear in the
    embedding. :math:`l_i` is the root mean square distance of the 16 nearest points. There are two ratios for each
    tolerance, one with :math:`g_{ij} \propto \exp(-|r_{ij}|^2 / 4 l_i^2)` and one with equal weights of the 12 nearest
    points. At initialisation the logits are close to 15 times the sum of both ratios at the smallest tolerance. The
    mean features of the candidates and the concentration :math:`\sum_c p_{ic}^2` of p are mapped linearly and added to
    the embedding.

    Args:
        embedding: width E of the points' embedding.
        sizes: numbers of nearest points that small planes are fitted to, the point itself included.
        candidate_neighbours: for each size the number of neighbours whose planes are candidates, beside the point's
            own.
        sample_neighbours: number of nearest neighbours whose pairs, with the point, define further candidates; 0: none.
        tolerances: heights of inliers, in units of the neighbourhood's size, ascending.
        points: number of nearest points, the point itself included, among which inliers are counted.
        hidden: width of the network.

    Raises:
        ValueError: a number is too small, or tolerances are not ascending or not above 0.
    """

    def __init__(
        self,
        embedding: int,
        sizes: Sequence[int] = (4, 16),
        candidate_neighbours: Sequence[int] = (20, 8),
        sample_neighbours: int = 6,
        tolerances: Sequence[float] = (0.001, 0.004, 0.02, 0.1),
        points: int = 32,
        hidden: int = 16,
    ) -> None:
        super().__init__()
        if not sizes or min(sizes) < 3:
            raise ValueError(f"expected planes of at least 3 points, got sizes {list(sizes)}")
        if len(candidate_neighbours) != len(sizes) or min(candidate_neighbours) < 0:
            raise ValueError(
                f"expected candidate_neighbours >= 0 for each of {len(sizes)} sizes, got {list(candidate_neighbours)}"
            )
        if sample_neighbours < 0 or min(points, hidden) < 1:
            numbers = f"{sample_neighbours}, {points} and {hidden}"
            raise ValueError(f"expected sample_neighbours >= 0, points and hidden >= 1, got {numbers}")
        self.sizes, self.sample_neighbours = tuple(sizes), sample_neighbours
        self.candidate_neighbours = tuple(candidate_neighbours)
        self.tolerances, self.counted = checked_tolerances(tolerances), points
        # of the neighbour table
        self.points = max(points, max(candidate_neighbours) + 1, sample_neighbours + 1, *sizes)
        ratios = 2 * len(tolerances)
        self.point_layer = nn.Linear(embedding, hidden)
        self.candidate_layer = nn.Linear(ratios + 5, hidden, bias=False)
        self.score = nn.Sequential(silu(), nn.Linear(hidden, hidden), silu(), nn.Linear(hidden, 1))
        self.inlier_coefficients = nn.Parameter(torch.tensor([1.0] * 2 + [0.0] * (ratios - 2)))
        self.strength = nn.Linear(embedding, 1)
        self.feature_layer = nn.Linear(ratios + 6, embedding, bias=False)  # of the mean features
        with torch.no_grad():  # s is close to 0 and the contribution to the embedding 0
            self.strength.weight *= 0.1
            self.strength.bias.zero_()
            self.feature_layer.weight.zero_()

    def plan(self, hierarchy: Hierarchy, size: int) -> SmallPlaneTable:
        """The small planes of all points, computed in chunks of ``size`` points."""
        level, table = hierarchy.levels[0], hierarchy.knn_index[:, : self.points]
        chunks = table.split(size)
        planes = parallel_map(lambda chunk: planes_of_sizes(level.pos, chunk, self.sizes), chunks, table.device)
        return SmallPlaneTable(level.pos, table, concatenated(planes))

    def forward(self, planes: SmallPlaneTable, tensor: Tensor, embedding: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """V (N, 3, 3), and the embedding (N, E) with the contribution of the candidates, from the network's tensors S
        (N, 3, 3) and the embedding (N, E); computed in chunks of ``size`` points."""
        chunks = list(zip(planes.table.split(size), tensor.split(size), embedding.split(size), strict=True))

        def selected(chunk: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            table, tensor, embedding = chunk
            return self.select(self.candidates(planes, table, tensor), embedding)

        means, features = zip(*parallel_map(selected, chunks, embedding.device), strict=True)
        return torch.cat(means), embedding + self.feature_layer(torch.cat(features))

    def select(self, candidates: SmallPlaneCandidates, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """V and the mean features of the candidates for one chunk, with embedding (M, E)."""
        hidden = self.candidate_layer(candidates.features)
        hidden += self.point_layer(embedding).unsqueeze(1)
        return self.mean(candidates, self.score(hidden).squeeze(-1), self.strength(embedding))

    @full_precision
    def mean(self, candidates: SmallPlaneCandidates, score: Tensor, log_strength: Tensor) -> tuple[Tensor, Tensor]:
        """V (M, 3, 3) and the mean features with the concentration (M, 2 T + 6), from the network's scores (M, C) and
        s (M, 1)."""
        coefficients = LOGIT_SCALE * self.inlier_coefficients
        logit = score + candidates.features[..., : len(coefficients)] @ coefficients
        validity = candidates.validity
        probability = (logit + validity.clamp_min(1e-30).log()).softmax(-1) * validity.amax(-1, keepdim=True)
        weight = probability * log_strength.clamp(-8, 4).exp()
        tensor = (candidates.normal * weight.unsqueeze(-1)).transpose(1, 2) @ candidates.normal
        features = (probability.unsqueeze(1) @ candidates.features).squeeze(1)
        return tensor, torch.cat([features, probability.square().sum(-1, keepdim=True)], dim=-1)

    @full_precision
    @torch.no_grad()
    def candidates(self, planes: SmallPlaneTable, table: Tensor, tensor: Tensor) -> SmallPlaneCandidates:
        """The candidates of points with rows (M, K) of the neighbour table and tensors S (M, 3, 3)."""
        edge = neighbour_edges(planes.pos, table)
        length = edge.norm(dim=-1)
        unit = safe_divisor(length[:, : SIZE_NEIGHBOURS + 1].square().mean(-1, keepdim=True).sqrt())
        each = _Planes(*(torch.cat(v, dim=1) for v in zip(*self._gathered(planes, table, edge, length), strict=True)))
        norm = tensor.square().sum((-1, -2)).sqrt().unsqueeze(-1)
        features = [
            (each.variance / unit.square() + HEIGHT_FLOOR**2).log() / 6 + 1,
            ((each.height / unit).square() + HEIGHT_FLOOR**2).log() / 6 + 1,
            each.distance / unit,
            each.size,
            ((each.normal @ tensor) * each.normal).sum(-1) / safe_divisor(norm),
        ]
        weight = ratio_weights(length[:, : self.counted] / unit)
        counts = inlier_counts(edge[:, : self.counted] / unit.unsqueeze(-1), each.normal, weight, self.tolerances)
        ratios = [ratio for count in counts for ratio in count.unbind(1)]
        return SmallPlaneCandidates(each.normal, torch.stack([*ratios, *features]).movedim(0, -1), each.validity)

    def _gathered(self, planes: SmallPlaneTable, table: Tensor, edge: Tensor, length: Tensor) -> Iterator[_Planes]:
        """The planes of each size, and of minimal samples, for points with edges (M, K, 3) of lengths (M, K)."""
        for column, (size, count) in enumerate(zip(self.sizes, self.candidate_neighbours, strict=True)):
            index = table[:, : 1 + count]

            def of(values: Tensor, column: int = column, index: Tensor = index) -> Tensor:
                return values[:, column].index_select(0, index.flatten()).view(*index.shape, *values.shape[2:])

            normal, distance = of(planes.planes.normal), length[:, : 1 + count]
            height = (normal * (of(planes.planes.mean) + edge[:, : 1 + count])).sum(-1)
            variance, validity = of(planes.planes.variance), of(planes.planes.validity)
            yield _Planes(normal, variance, height, validity, distance, _size_feature(size, distance))
        nearest = min(self.sample_neighbours, table.shape[1] - 1)
        if nearest > 1:
            a, b = 1 + torch.triu_indices(nearest, nearest, 1, device=table.device)
            normal, squared_sine = spanned_plane(edge[:, a], edge[:, b])
            validity = linear_step(squared_sine, *NOT_COLLINEAR)
            zeros, distance = torch.zeros_like(validity), torch.maximum(length[:, a], length[:, b])
            yield _Planes(normal, zeros, zeros, validity, distance, _size_feature(3, distance))


def ratio_weights(length: Tensor) -> Tensor:
    """The two weights g (M, 2, K) of each of the nearest points, at scaled distances (M, K)."""
    weight = distance_weight(length)
    closest = torch.zeros_like(weight)
    closest[:, :CLOSEST] = 1 / min(CLOSEST, weight.shape[1])
    return torch.stack([weight / weight.sum(-1, keepdim=True), closest], dim=1)


def _size_feature(size: int, like: Tensor) -> Tensor:
    """The number of points of planes as a feature, linear in its logarithm: -1 for 6 points, 1 for 16."""
    return torch.full_like(like, 2 * math.log(size / 6) / math.log(16 / 6) - 1)


def planes_of_sizes(pos: Tensor, table: Tensor, sizes: Sequence[int]) -> SmallPlanes:
    """(M, S, ...) the planes of the first ``size`` points in each row of a neighbour table (M, K)."""
    planes = [small_planes(pos, table[:, :size]) for size in sizes]
    columns = zip(*(vars(each).values() for each in planes), strict=True)
    return SmallPlanes(*(torch.stack(values, dim=1) for values in columns))


def neighbour_edges(pos: Tensor, table: Tensor) -> Tensor:
    """(M, K, 3) vectors from the first point in each row of a table (M, K) to all of its points."""
    neighbours = pos.index_select(0, table.flatten()).view(*table.shape, -1)
    return neighbours - pos.index_select(0, table[:, 0]).unsqueeze(1)
