"""Sources of candidate normals: planes of many sizes, jets, and estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tensorframes.geometry.eigen import closed_eigenvalues, principal_axis
from tensorframes.layers import Geometry, MultiScalePlanes, PlaneSizes, Requirements, jet
from tensorframes.layers.multiscale_planes import interpolated
from tensorframes.normals.candidates import (
    Candidates,
    ScaledNeighbourhoods,
    Source,
    by_axis,
    linear_step,
    log_prior,
    log_ratio,
    safe_divisor,
    stacked,
)
from tensorframes.normals.concatenate import concatenated
from tensorframes.normals.degenerate import RANK
from tensorframes.parallel import parallel_map
from tensorframes.reps import full_precision

NOT_COLLINEAR = (RANK, 1e-3)  # range of middle over largest variance: collinear points below
ISOTROPIC = (0.8, 0.9)  # range of smallest over middle variance: points without a plane above
JET_NEIGHBOURS = 23  # nearest neighbours that a jet is fitted to
SQUARE_FLOOR = 1e-6  # of squared lengths in units of the neighbourhood's size, in logarithms
CHUNK = {"cpu": 1024}  # points whose small planes are computed at once: their intermediate values stay in the cache
LARGEST_CHUNK = 262144  # on other devices: bounds memory


class _SizedPlanes(Source[MultiScalePlanes]):
    """The normals of planes of neighbourhoods of several sizes; features are their shapes (``MultiScalePlanes``)."""

    depth: int

    def __init__(self, counts: Sequence[Sequence[int]]) -> None:
        self.sizes = PlaneSizes.checked(self.depth, counts)
        self.count, self.width = self.sizes.planes, 4 - self.depth
        self.requirements = Requirements(self.sizes.nearest, planes=(self.sizes,), moments=True)

    @full_precision
    @torch.no_grad()
    def candidates(self, plan: MultiScalePlanes, neighbourhood: ScaledNeighbourhoods) -> Candidates:
        """One candidate for each size. The prior falls to 0 where points are collinear or isotropic."""
        planes = plan.index_select(neighbourhood.rows)
        middle = planes.shape[..., 1].square()  # variances over the largest
        smallest_over_middle = planes.shape[..., 0].square() / safe_divisor(middle)
        prior = (1 - linear_step(smallest_over_middle, *ISOTROPIC)) * linear_step(middle, *NOT_COLLINEAR)
        return Candidates(principal_axis(planes.planes), planes.shape, log_prior(prior))


class RegionPlanes(_SizedPlanes):
    """Multi-scale planes around the points of level 1, interpolated to level 0. They average noise.

    Args:
        counts: for level 1, 2, ... the numbers of its points that make the neighbourhoods, each with all points of
            level 0 that it represents.
    """

    depth = 1

    def plan(self, geometry: Geometry) -> MultiScalePlanes:
        """The planes of all points."""
        return interpolated(geometry.planes_of(self.sizes), geometry)


class LocalPlanes(_SizedPlanes):
    """Planes of neighbourhoods of about ten points and more, centred at the points of level 0.

    Args:
        counts: for level 0, 1, ... the numbers of its points that make the neighbourhoods, each with all points of
            level 0 that it represents.
    """

    depth = 0

    def plan(self, geometry: Geometry) -> MultiScalePlanes:
        """The planes of all points."""
        return geometry.planes_of(self.sizes)


@dataclass(frozen=True)
class SmallPlanes:
    """Planes fitted to the few nearest points of each of N points; of S sizes all shapes are (N, S, ...)."""

    normal: Tensor  # (N, 3) up to sign
    mean: Tensor  # (N, 3) vector from the point to the mean of the fitted points
    variance: Tensor  # (N,) mean squared height of the fitted points
    validity: Tensor  # (N,) in [0, 1]: 0 where the fitted points are collinear or isotropic


class NeighbourPlanes(Source[Tensor]):
    """Planes fitted to few points, of the point and of its nearest neighbours: beside an edge, the fitted points of
    some neighbour lie within the facet of the point.

    Args:
        size: number of points that a plane is fitted to.
        neighbours: number of neighbours whose planes are candidates, beside the point's own.
    """

    ordered = False

    def __init__(self, size: int, neighbours: int) -> None:
        if size < 3 or neighbours < 0:
            raise ValueError(f"expected size >= 3 and neighbours >= 0, got {size} and {neighbours}")
        self.size, self.count, self.width = size, neighbours + 1, 3
        self.requirements = Requirements(neighbours=max(size, neighbours + 1))

    def plan(self, geometry: Geometry) -> Tensor:
        """The plane of every point as (N, 6), one row to be gathered by each neighbour: the normal, the height of the
        mean above the point, the variance and the log prior."""
        table = geometry.knn_index[:, : self.size]
        chunks = table.split(CHUNK.get(table.device.type, LARGEST_CHUNK))
        parts = parallel_map(lambda part: small_planes(geometry.levels[0].pos, part), chunks, table.device)
        planes = concatenated(parts)
        height = (planes.normal * planes.mean).sum(-1)
        scalars = torch.stack([height, planes.variance, log_prior(planes.validity)], dim=-1)
        return torch.cat([planes.normal, scalars], dim=-1)

    @full_precision
    @torch.no_grad()
    def candidates(self, plan: Tensor, neighbourhood: ScaledNeighbourhoods) -> Candidates:
        """The candidates; features are the variance, the distance from the point to the plane, both on a logarithmic
        scale, and the distance to the neighbour."""
        table, size = neighbourhood.table[:, : self.count], neighbourhood.size
        planes = plan.index_select(0, table.flatten()).view(*table.shape, plan.shape[1])
        columns, edge = by_axis(planes), by_axis(neighbourhood.edge[:, : self.count - 1])
        distance = torch.nn.functional.pad(neighbourhood.length[:, : self.count - 1], (1, 0))
        height = columns[3] / size
        height[:, 1:] += (edge * columns[:3, :, 1:]).sum(0)
        variance = columns[4] / size.square()
        features = [log_ratio(variance, SQUARE_FLOOR), log_ratio(height.square(), SQUARE_FLOOR), distance]
        return Candidates(planes[..., :3], stacked(features), columns[5])


@full_precision
def small_planes(pos: Tensor, table: Tensor) -> SmallPlanes:
    """The planes of the points in each row of a neighbour table (M, K), the point itself first."""
    fitted = pos.index_select(0, table.flatten()).view(*table.shape, -1)
    edge = fitted - fitted[:, :1]
    mean = edge.mean(1)
    centred = edge - mean.unsqueeze(1)
    covariance = (centred.transpose(1, 2) @ centred).double() / table.shape[1]  # on lines float32 has too few digits
    smallest, middle, largest = closed_eigenvalues(covariance).clamp_min(0).to(pos.dtype).unbind(-1)
    not_collinear = linear_step(middle / safe_divisor(largest), *NOT_COLLINEAR)
    validity = not_collinear * (1 - linear_step(smallest / safe_divisor(middle), *ISOTROPIC))
    return SmallPlanes(principal_axis(-covariance).to(pos.dtype), mean, smallest, validity)


class Jet(Source[None]):
    """The normal of a height field of order two over the plane of the latest estimate (``layers.jet``)."""

    count, width, initial_logit = 1, 1, 1.0

    def plan(self, geometry: Geometry) -> None:
        """None: the jet is fitted to the neighbours."""

    @full_precision
    @torch.no_grad()
    def candidates(self, plan: None, neighbourhood: ScaledNeighbourhoods) -> Candidates:
        """The candidate; its feature is the root mean squared residual of the fit, on a logarithmic scale."""
        normal, residual = jet(neighbourhood.edge[:, :JET_NEIGHBOURS], neighbourhood.estimates[:, -1].detach())
        features = log_ratio(residual.square(), SQUARE_FLOOR).view(-1, 1, 1)
        return Candidates(normal.unsqueeze(1), features, torch.zeros_like(neighbourhood.size))


class Estimates(Source[None]):
    """The normals estimated so far, with gradient.

    Args:
        count: their number.
    """

    width, initial_logit = 0, 1.0

    def __init__(self, count: int) -> None:
        self.count = count

    def plan(self, geometry: Geometry) -> None:
        """None: estimates are no function of the geometry."""

    def candidates(self, plan: None, neighbourhood: ScaledNeighbourhoods) -> Candidates:
        """The candidates, without features."""
        prior = neighbourhood.edge.new_zeros(neighbourhood.edge.shape[0], self.count)
        return Candidates(neighbourhood.estimates, prior.unsqueeze(-1)[..., :0], prior)
