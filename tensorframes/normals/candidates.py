"""Candidate normals of points, and the sources they come from."""

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

NEAREST = 15  # neighbours that the size of a neighbourhood is measured by
FLAT = (0.3, 0.5)  # standard deviations, second axis over first, between which points come to spread over a plane
ACROSS = (1.8, 2.5)  # log(n^T C n / smallest eigenvalue) between which a normal ceases to be the points'
THIN = 1e-4  # share of the variance below which points are thin
LEAST = 1e-30  # validity of a candidate that is not valid
NEVER = -70.0  # log prior of a candidate that is not a plane: exp(NEVER) is negligible, and finite in float32

Planned = TypeVar("Planned")


@dataclass(frozen=True)
class Candidates:
    """C candidate normals of each of M points."""

    directions: Tensor  # (M, C, 3) unit vectors, up to sign
    features: Tensor  # (M, C, F) invariants that its source knows of each
    log_prior: Tensor  # (M, C) logarithm of the prior probability, up to a constant of the point; at least NEVER


@dataclass(frozen=True)
class Surroundings:
    """The neighbourhoods of M points, in units of their sizes, and the normals estimated so far."""

    rows: Tensor  # (M,) the points, at level 0
    table: Tensor  # (M, K + 1) rows of the nearest points, the point itself first
    edge: Tensor  # (M, K, 3) from the point to the K others, over the size of the neighbourhood
    length: Tensor  # (M, K) of the edges; 0 where a point is repeated because the cloud has no more
    size: Tensor  # (M, 1) root mean square distance of the 15 nearest
    estimates: Tensor  # (M, S, 3) unit normals, the latest last


def nearest_edges(geometry: Geometry, rows: Tensor, count: int) -> Tensor:
    """(M, count, 3) from each of some rows (M,) to its ``count`` nearest points."""
    if geometry.edges is None:
        raise ValueError("expected a geometry with edges, got one without")
    return geometry.edges[:, :count].index_select(0, rows)


@full_precision
def surroundings(geometry: Geometry, rows: Tensor, estimates: Tensor, count: int) -> Surroundings:
    """The surroundings of some rows (M,), of their ``count`` nearest points; estimates (M, S, 3)."""
    edge = nearest_edges(geometry, rows, count)
    table = geometry.knn_index[:, : count + 1].index_select(0, rows)
    length = by_axis(edge).square().sum(0).sqrt()
    size = positive(length[:, :NEAREST].square().mean(-1, keepdim=True).sqrt())
    return Surroundings(rows, table, edge / size.unsqueeze(-1), length / size, size, estimates)


class Source(Generic[Planned]):
    """Where candidates come from. A subclass sets the attributes and defines ``candidates``.

    Attributes:
        count: number C of candidates of each point.
        width: number F of features of each candidate.
        ordered: whether candidate c means the same at all points (a scale, say), or is one of a set.
        prior: the logarithm of a candidate's prior before training.
        requirements: the quantities it requires of the geometry.
    """

    count: int
    width: int
    ordered: bool = True
    prior: float = 0.0
    requirements: Requirements = Requirements()

    @property
    def kinds(self) -> int:
        """Number of kinds of candidates: each ordered one is a kind of its own."""
        return self.count if self.ordered else 1

    def plan(self, geometry: Geometry) -> Planned:
        """What depends on the geometry alone, for all points, computed once."""
        raise NotImplementedError

    def candidates(self, planned: Planned, near: Surroundings) -> Candidates:
        """The candidates of the points ``near.rows``. Without gradient, except for the directions of estimates."""
        raise NotImplementedError


def positive(values: Tensor) -> Tensor:
    """Values, with 1 for those that are not positive."""
    return torch.where(values > 0, values, torch.ones_like(values))


def rising(values: Tensor, start: float, end: float) -> Tensor:
    """0 up to the start, 1 from the end on, linear in between."""
    return ((values - start) / (end - start)).clamp(0, 1)


def log_prior(probability: Tensor) -> Tensor:
    """The logarithm of a probability, at least NEVER."""
    return probability.clamp_min(1e-30).log().clamp_min(NEVER)


def log_sine(squared_sine: Tensor) -> Tensor:
    """Squared sines on a logarithmic scale, about -1 to 1; below 1e-6 (0.06 degrees) they are alike."""
    return (squared_sine.clamp_min(0) + 1e-6).log() / 7 + 1


def log_share(share: Tensor, least: float) -> Tensor:
    """Shares on a logarithmic scale from ``least`` on, -1 to 1."""
    return 1 - 2 * (share.clamp_min(0) + least).log() / math.log(least)


def stacked(numbers: Sequence[Tensor]) -> Tensor:
    """Numbers, each (M, C), side by side (M, C, F), but one after the other in memory: far faster to write."""
    return torch.stack(list(numbers)).movedim(0, -1)


def by_axis(vectors: Tensor) -> Tensor:
    """Vectors (..., 3) as (3, ...), x, y and z one after the other in memory: sums over them are far faster."""
    return vectors.movedim(-1, 0).contiguous()


@full_precision
def spread(edge: Tensor) -> Tensor:
    """Covariances (M, 3, 3) of edges (M, K, 3), of trace 1: n^T C n is how thick the points are along n."""
    axes = by_axis(edge)
    x, y, z = axes - axes.mean(-1, keepdim=True)
    xx, yy, zz, xy, yz, xz = torch.stack([x * x, y * y, z * z, x * y, y * z, x * z]).sum(-1)
    covariance = torch.stack([xx, xy, xz, xy, yy, yz, xz, yz, zz]) / positive(xx + yy + zz)
    return covariance.unflatten(0, (3, 3)).movedim(-1, 0)


@full_precision
def thickness(normal: Tensor, covariance: Tensor) -> Tensor:
    """n^T C n (M, C) of normals (3, M, C), ``by_axis``, and covariances (M, 3, 3)."""
    x, y, z = normal
    xx, yy, zz, xy, yz, xz = entries(covariance).unsqueeze(-1)
    return x * (xx * x + 2 * xy * y) + y * (yy * y + 2 * yz * z) + z * (zz * z + 2 * xz * x)


def along(thick: Tensor, values: Tensor) -> Tensor:
    """(M, C) in [LEAST, 1]: small where points spread over a plane, by the eigenvalues (M, 3), ascending, of their
    covariance C, are far thicker along some normals, n^T C n (M, C), than along that plane's own: no surface stands
    across them. At edges n^T C n is about 2.5 times the smallest eigenvalue."""
    least, middling, largest = values.clamp_min(0).unbind(-1)
    flat = rising((middling / positive(largest)).sqrt(), *FLAT)
    ratio = thick.clamp_min(THIN) / (least + THIN).unsqueeze(-1)
    return (1 - flat.unsqueeze(-1) * rising(ratio.log(), *ACROSS)).clamp_min(LEAST)
