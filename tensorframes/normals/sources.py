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
    Source,
    Surroundings,
    by_axis,
    log_prior,
    log_share,
    positive,
    rising,
    stacked,
)
from tensorframes.normals.degenerate import RANK
from tensorframes.normals.joined import joined
from tensorframes.parallel import parallel_map
from tensorframes.reps import full_precision

LINE = 1e-3  # variance across a line over variance along it from which on points count fully as about a plane
ROUND = (0.8, 0.9)  # smallest variance over the middle one between which points cease to lie about a plane
JET = 23  # nearest neighbours that a jet is fitted to
CHUNK = {"cpu": 1024}  # points whose small planes are computed at once: their intermediate values stay in the cache
LARGEST_CHUNK = 262144  # on other devices: bounds memory


class _SizedPlanes(Source[MultiScalePlanes]):
    """Planes of neighbourhoods of several sizes, with their shapes (``planes_around``)."""

    depth: int

    def __init__(self, counts: Sequence[Sequence[int]]) -> None:
        self.sizes = PlaneSizes.checked(self.depth, counts)
        self.count, self.width = self.sizes.planes, 4 - self.depth
        self.requirements = Requirements(self.sizes.nearest, planes=(self.sizes,), moments=True)

    @full_precision
    @torch.no_grad()
    def candidates(self, planned: MultiScalePlanes, near: Surroundings) -> Candidates:
        """Known of each: the ratios of the standard deviations, and the logarithms of the sizes."""
        found = planned.of(near.rows)
        flat = found.shape[..., 0].square() / positive(found.shape[..., 1].square())
        broad = rising(found.shape[..., 1].square(), RANK, LINE)
        return Candidates(principal_axis(found.planes), found.shape, log_prior((1 - rising(flat, *ROUND)) * broad))


class RegionPlanes(_SizedPlanes):
    """Planes of wide neighbourhoods of the points of level 1, interpolated. They average noise.

    Args:
        counts: for level 1, 2, ... of how many of its points, with all that they represent, a neighbourhood is made.
    """

    depth = 1

    def plan(self, geometry: Geometry) -> MultiScalePlanes:
        """The planes of all points."""
        return interpolated(geometry.planes_of(self.sizes), geometry)


class LocalPlanes(_SizedPlanes):
    """Planes of neighbourhoods centred at the points themselves, of about ten points and more.

    Args:
        counts: for level 0, 1, ... of how many of its points, with all that they represent, a neighbourhood is made.
    """

    depth = 0

    def plan(self, geometry: Geometry) -> MultiScalePlanes:
        """The planes of all points."""
        return geometry.planes_of(self.sizes)


@dataclass(frozen=True)
class SmallPlanes:
    """Planes through few points, one of each of N points."""

    normal: Tensor  # (N, 3), up to sign
    mean: Tensor  # (N, 3) from the point to the mean of the points fitted
    variance: Tensor  # (N,) mean square height of these
    sound: Tensor  # (N,) in [0, 1]: 0 where they lie on a line, or all around


class NeighbourPlanes(Source[Tensor]):
    """Small planes, fitted to few nearest points, of a point and of its neighbours: beside an edge some neighbour's
    plane lies within the facet that the point belongs to.

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
        """Of the small plane of every point (N, 6), side by side, to be gathered at once: the normal, the height of the
        mean above the point, the variance and the log prior."""
        table = geometry.knn_index[:, : self.size]
        chunks = table.split(CHUNK.get(table.device.type, LARGEST_CHUNK))
        parts = parallel_map(lambda part: small_planes(geometry.levels[0].pos, part), chunks, table.device)
        found = joined(parts)
        height = (found.normal * found.mean).sum(-1)
        return torch.cat([found.normal, torch.stack([height, found.variance, log_prior(found.sound)], dim=-1)], dim=-1)

    @full_precision
    @torch.no_grad()
    def candidates(self, planned: Tensor, near: Surroundings) -> Candidates:
        """The candidates, each with its thickness, its distance from the point, and the distance of the neighbour."""
        whose = near.table[:, : self.count]
        found = planned.index_select(0, whose.flatten()).view(*whose.shape, planned.shape[1])
        numbers, edge = by_axis(found), by_axis(near.edge[:, : self.count - 1])
        far = torch.nn.functional.pad(near.length[:, : self.count - 1], (1, 0))
        off = numbers[3] / near.size
        off[:, 1:] += (edge * numbers[:3, :, 1:]).sum(0)
        known = [log_share(numbers[4] / near.size.square(), 1e-6), log_share(off.square(), 1e-6), far]
        return Candidates(found[..., :3], stacked(known), numbers[5])


@full_precision
def small_planes(pos: Tensor, table: Tensor) -> SmallPlanes:
    """The planes through the nearest points in each row (M, K) of a neighbour table, the point itself first."""
    around = pos.index_select(0, table.flatten()).view(*table.shape, -1)
    edge = around - around[:, :1]
    mean = edge.mean(1)
    centred = edge - mean.unsqueeze(1)
    covariance = (centred.transpose(1, 2) @ centred).double() / table.shape[1]  # on lines float32 has too few digits
    least, middle, largest = closed_eigenvalues(covariance).clamp_min(0).to(pos.dtype).unbind(-1)
    broad = rising(middle / positive(largest), RANK, LINE)
    sound = broad * (1 - rising(least / positive(middle), *ROUND))
    return SmallPlanes(principal_axis(-covariance).to(pos.dtype), mean, least, sound)


class Jet(Source[None]):
    """The normal of a height field of order two over the plane of the latest estimate (``layers.jet``)."""

    count, width, prior = 1, 1, 1.0

    def plan(self, geometry: Geometry) -> None:
        """Nothing beside the surroundings."""

    @full_precision
    @torch.no_grad()
    def candidates(self, planned: None, near: Surroundings) -> Candidates:
        """The candidate, with the root mean square height of the neighbours above the field."""
        normal, rough = jet(near.edge[:, :JET], near.estimates[:, -1].detach())
        known = log_share(rough.square(), 1e-6).view(-1, 1, 1)
        return Candidates(normal.unsqueeze(1), known, torch.zeros_like(near.size))


class Estimates(Source[None]):
    """The normals estimated so far. With gradient.

    Args:
        count: their number.
    """

    width, prior = 0, 1.0

    def __init__(self, count: int) -> None:
        self.count = count

    def plan(self, geometry: Geometry) -> None:
        """Nothing beside the surroundings."""

    def candidates(self, planned: None, near: Surroundings) -> Candidates:
        """Nothing is known of each, beside what ``Select`` measures of all candidates."""
        prior = near.edge.new_zeros(near.edge.shape[0], self.count)
        return Candidates(near.estimates, prior.unsqueeze(-1)[..., :0], prior)
