"""Candidate normals of points, the interface of their sources, and functions that sources and selections share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from tensorframes.geometry.eigen import entries
from tensorframes.layers import Geometry, Requirements
from tensorframes.reps import full_precision

SIZE_NEIGHBOURS = 15  # nearest neighbours whose root mean square distance is the size of a neighbourhood
PLANAR = (0.3, 0.5)  # range of the ratio of the two larger standard deviations: on a curve below, over a plane above
OFF_NORMAL = (1.8, 2.5)  # range of log(n^T C n / smallest eigenvalue): the plane's normal below, another one above
VARIANCE_FLOOR = 1e-4  # of variances divided by their sum, in quotients and logarithms
LEAST_PRIOR = 1e-30  # so that its logarithm is finite
LEAST_LOG_PRIOR = -70.0  # of a candidate that is not a plane: exp(-70) is negligible, and finite in float32

PlanT = TypeVar("PlanT")


@dataclass(frozen=True)
class Candidates:
    """C candidate normals of each of M points."""

    directions: Tensor  # (M, C, 3) unit vectors, up to sign
    features: Tensor  # (M, C, F) invariant features of each, specific to its source
    log_prior: Tensor  # (M, C) logarithm of the prior probability, up to a constant of the point; >= LEAST_LOG_PRIOR


@dataclass(frozen=True)
class ScaledNeighbourhoods:
    """The nearest neighbours of M points, in units of the size of each neighbourhood, and estimated normals."""

    rows: Tensor  # (M,) the points, at level 0
    table: Tensor  # (M, K + 1) rows of the nearest points, the point itself first
    edge: Tensor  # (M, K, 3) vectors from the point to its K neighbours, divided by the size
    length: Tensor  # (M, K) of the edges; 0 where a point is repeated because the cloud has no more
    size: Tensor  # (M, 1) root mean square distance of the 15 nearest neighbours
    estimates: Tensor  # (M, S, 3) unit normals estimated so far, the latest last


def nearest_edges(geometry: Geometry, rows: Tensor, count: int) -> Tensor:
    """(M, count, 3) vectors from points (M,) to their ``count`` nearest neighbours."""
    if geometry.edges is None:
        raise ValueError("expected a geometry with edges, got one without")
    return geometry.edges[:, :count].index_select(0, rows)


@full_precision
def scaled_neighbourhoods(geometry: Geometry, rows: Tensor, estimates: Tensor, count: int) -> ScaledNeighbourhoods:
    """The ``count`` nearest neighbours of points (M,), with their estimates (M, S, 3)."""
    edge = nearest_edges(geometry, rows, count)
    table = geometry.knn_index[:, : count + 1].index_select(0, rows)
    length = by_axis(edge).square().sum(0).sqrt()
    size = safe_divisor(length[:, :SIZE_NEIGHBOURS].square().mean(-1, keepdim=True).sqrt())
    return ScaledNeighbourhoods(rows, table, edge / size.unsqueeze(-1), length / size, size, estimates)


class Source(Generic[PlanT]):
    """A source of candidate normals. A subclass sets the attributes and defines ``candidates``.

    Attributes:
        count: number C of candidates of each point.
        width: number F of features of each candidate.
        ordered: whether candidate c has the same meaning at all points (as one scale of several); otherwise the
            candidates of a point are a set.
        initial_logit: of each candidate at initialisation.
        requirements: the quantities it requires of the geometry.
    """

    count: int
    width: int
    ordered: bool = True
    initial_logit: float = 0.0
    requirements: Requirements = Requirements()

    @property
    def kinds(self) -> int:
        """Number of kinds of candidates, each with learned parameters of its own: C if ordered, 1 for a set."""
        return self.count if self.ordered else 1

    def plan(self, geometry: Geometry) -> PlanT:
        """The quantities of all points that depend on the geometry alone, computed once."""
        raise NotImplementedError

    def candidates(self, plan: PlanT, neighbourhood: ScaledNeighbourhoods) -> Candidates:
        """The candidates of the points ``neighbourhood.rows``; only the directions of estimates have a gradient."""
        raise NotImplementedError


def safe_divisor(values: Tensor) -> Tensor:
    """The values where they are positive, otherwise 1."""
    return torch.where(values > 0, values, torch.ones_like(values))


def linear_step(values: Tensor, start: float, end: float) -> Tensor:
    """0 up to ``start``, 1 from ``end`` on, linear in between."""
    return ((values - start) / (end - start)).clamp(0, 1)


def log_prior(probability: Tensor) -> Tensor:
    """The logarithm of a probability, at least LEAST_LOG_PRIOR."""
    return probability.clamp_min(LEAST_PRIOR).log().clamp_min(LEAST_LOG_PRIOR)


def log_sine(squared_sine: Tensor) -> Tensor:
    """The feature log(sin^2 + 1e-6) / 7 + 1 of angles, in about -1 to 1; it is flat below 0.06 degrees."""
    return (squared_sine.clamp_min(0) + 1e-6).log() / 7 + 1


def log_ratio(ratio: Tensor, floor: float) -> Tensor:
    """The feature 1 - 2 log(ratio + floor) / log(floor) of ratios: -1 for 0, 1 for 1."""
    return 1 - 2 * (ratio.clamp_min(0) + floor).log() / math.log(floor)


def stacked(columns: Sequence[Tensor]) -> Tensor:
    """F features (M, C) each as (M, C, F), contiguous by feature in memory: far faster to write."""
    return torch.stack(list(columns)).movedim(0, -1)


def by_axis(vectors: Tensor) -> Tensor:
    """Vectors (..., 3) as components (3, ...), contiguous by component in memory: sums over them are far faster."""
    return vectors.movedim(-1, 0).contiguous()


@full_precision
def normalised_covariance(edge: Tensor) -> Tensor:
    """Covariances C (M, 3, 3) of edges (M, K, 3), divided by their traces."""
    axes = by_axis(edge)
    x, y, z = axes - axes.mean(-1, keepdim=True)
    xx, yy, zz, xy, yz, xz = torch.stack([x * x, y * y, z * z, x * y, y * z, x * z]).sum(-1)
    covariance = torch.stack([xx, xy, xz, xy, yy, yz, xz, yz, zz]) / safe_divisor(xx + yy + zz)
    return covariance.unflatten(0, (3, 3)).movedim(-1, 0)


@full_precision
def thickness(normal: Tensor, covariance: Tensor) -> Tensor:
    """Variances n^T C n (M, C) along normals (3, M, C), in the layout of ``by_axis``; covariances (M, 3, 3)."""
    x, y, z = normal
    xx, yy, zz, xy, yz, xz = entries(covariance).unsqueeze(-1)
    return x * (xx * x + 2 * xy * y) + y * (yy * y + 2 * yz * z) + z * (zz * z + 2 * xz * x)


def planarity_prior(variance: Tensor, eigenvalues: Tensor) -> Tensor:
    """Priors (M, C) in [LEAST_PRIOR, 1]: small for candidates that are not the normal where points spread over a plane.

    Points spread over a plane if the ratio of their two larger standard deviations is above PLANAR. A candidate is not
    the normal if the variance along it is above exp(OFF_NORMAL) times the smallest; at edges it is about 2.5 times.

    Args:
        variance: (M, C) n^T C n along the candidates (``thickness``).
        eigenvalues: (M, 3) of the same covariances, ascending.
    """
    smallest, middle, largest = eigenvalues.clamp_min(0).unbind(-1)
    planar = linear_step((middle / safe_divisor(largest)).sqrt(), *PLANAR)
    ratio = variance.clamp_min(VARIANCE_FLOOR) / (smallest + VARIANCE_FLOOR).unsqueeze(-1)
    return (1 - planar.unsqueeze(-1) * linear_step(ratio.log(), *OFF_NORMAL)).clamp_min(LEAST_PRIOR)
