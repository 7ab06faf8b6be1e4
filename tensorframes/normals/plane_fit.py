"""The plane-fitting head: weighted least-squares planes, with weights and a prior computed by the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from tensorframes.frames import Frames
from tensorframes.layers import MLP, Geometry, MultiScalePlanes, ProfileEmbedding, Requirements
from tensorframes.normals.candidates import log_ratio, log_sine, nearest_edges, safe_divisor
from tensorframes.normals.concatenate import concatenated
from tensorframes.normals.confidence import ErrorModel
from tensorframes.normals.degenerate import RANK, fall_back
from tensorframes.normals.final_selection import FinalSelection
from tensorframes.normals.fit import Fit, fitted_value
from tensorframes.normals.heads import AxisHead, Head, mean_of
from tensorframes.normals.multiscale_selection import LocalPlaneSelection, MultiScalePlaneSelection
from tensorframes.normals.neighbourhoods import Neighbourhoods, neighbourhoods
from tensorframes.normals.offset import Offset
from tensorframes.normals.prediction import Prediction
from tensorframes.normals.small_plane_selection import SmallPlaneSelection, SmallPlaneTable
from tensorframes.normals.weighted_plane import PlaneFit
from tensorframes.parallel import parallel_map
from tensorframes.reps import Representation, full_precision

CHUNK = {"cpu": 1024}  # points fitted at once outside training: their intermediate values stay in the cache
LARGEST_CHUNK = 16384  # on other devices: bounds memory
RATIO_FLOOR = 1e-6  # of ratios of eigenvalues, in logarithms


@dataclass(frozen=True)
class Plan:
    """The quantities that depend on the geometry alone."""

    geometry: Geometry
    axis: tuple[Tensor, Tensor]  # plan of the ``AxisHead`` of the initial estimate, at all points
    fits: tuple[Neighbourhoods, ...]  # of each fit, at ascending points, which include all that the next fit uses
    small_planes: SmallPlaneTable  # of all points
    multiscale_planes: MultiScalePlanes | None  # of all points
    local_planes: MultiScalePlanes | None  # of all points


class PlaneFitHead(Head[Plan, tuple[Tensor, Tensor]]):
    r"""Normals up to sign by iteratively reweighted plane fits.

    The initial estimate is the principal axis of the sum of the tensor of an ``AxisHead`` and of weighted means of
    candidate planes: small planes (``SmallPlaneSelection``) and optionally multi-scale and local planes
    (``MultiScalePlaneSelection``, ``LocalPlaneSelection``). A sequence of fits (``PlaneFit``) starts from it. Their
    weights depend on the previous normals of the point and of its neighbours, as in Lenssen et al. (CVPR 2020, *Deep
    Iterative Surface Normal Estimation*); priors and coarse neighbours are added.

    Before each fit but the first, points are moved towards the plane of the previous fit (``Offset``). The final normal
    is selected among the initial estimate, the fits, a jet, the local planes, and the planes through the point and two
    of its nearest neighbours (``FinalSelection``).

    The neighbours are the nearest points of level 0 and of coarser levels. These contribute the pooled moments of all
    points of level 0 that they represent, so that more noise is averaged. If the neighbours lie on a line, the normal
    is that of the plane of four times as many points, otherwise of the whole cloud, otherwise zero, "no normal"
    (``degenerate.fall_back``).

    Args:
        reps: of the features.
        neighbours: numbers of fitted points of level 0, 1, ...; 0 for none.
        fits: number of planes that are fitted in sequence.
        hidden: width of the network that computes their weights.
        embedding: width of the point embedding that the features are mapped to.
        candidate_neighbours: for each size the number of neighbours whose small planes are candidates of the initial
            estimate, beside the point's own.
        sizes: numbers of nearest points that small planes are fitted to.
        sample_neighbours: number of nearest neighbours whose pairs, with the point, define further candidate planes.
        tolerances: heights below which a neighbour is an inlier of a plane, in units of the neighbourhood's size.
        multiscale_planes: for level 1, 2, ... the numbers of its points that make the neighbourhoods of multi-scale
            planes, added to the initial estimate; empty: none.
        local_planes: for level 0, 1, ... the numbers of its points that make the neighbourhoods of local planes,
            centred at each point of level 0 and added to the initial estimate; empty: none.
        variation_profile: add an embedding of the whole cloud's surface-variation profile (``ProfileEmbedding``).
        final_selection: settings of ``FinalSelection``, by name; None: its defaults.
        error: makes the model of the error, from the width of its features (``ErrorModel``); None: none. As in
            ``PlaneHead``.

    Raises:
        ValueError: a number is too small.
    """

    def __init__(
        self,
        reps: Representation,
        neighbours: Sequence[int] = (20, 8, 6, 4),
        fits: int = 1,
        hidden: int = 16,
        embedding: int = 12,
        candidate_neighbours: Sequence[int] = (8, 4),
        sizes: Sequence[int] = (4, 16),
        sample_neighbours: int = 5,
        tolerances: Sequence[float] = (0.001, 0.004, 0.02, 0.1),
        multiscale_planes: Sequence[Sequence[int]] = (),
        local_planes: Sequence[Sequence[int]] = (),
        variation_profile: bool = False,
        final_selection: Mapping[str, Any] | None = None,
        error: Callable[[int], ErrorModel] | None = None,
    ) -> None:
        super().__init__()
        if not neighbours or neighbours[0] < 3 or min(neighbours) < 0:
            raise ValueError(f"expected at least 3 neighbours at level 0 and none below 0, got {list(neighbours)}")
        if min(fits, hidden // 2, embedding) < 1:
            raise ValueError(f"expected fits and embedding >= 1, hidden >= 2, got {fits}, {embedding} and {hidden}")
        self.neighbours, width = tuple(neighbours), embedding + fits
        self.axis = AxisHead(reps, len(self.neighbours))
        self.embed = MLP([reps.dim, reps.dim, width], norm="layer")
        self.fits = nn.ModuleList(PlaneFit(len(self.neighbours), hidden, embedding) for _ in range(fits))
        self.offsets = nn.ModuleList(Offset(embedding, hidden) for _ in range(fits - 1))
        self.small_planes = SmallPlaneSelection(width, sizes, candidate_neighbours, sample_neighbours, tolerances)
        self.multiscale_planes = MultiScalePlaneSelection(width, multiscale_planes) if multiscale_planes else None
        self.local_planes = LocalPlaneSelection(width, local_planes) if local_planes else None
        self.variation_profile = ProfileEmbedding(width) if variation_profile else None
        planes = 0 if self.local_planes is None else self.local_planes.sizes.planes
        self.final_selection = FinalSelection(embedding, fits + 1, planes, **(final_selection or {}))
        self.error = error(embedding + hidden + fits + 4) if error is not None else None
        self.predicts_error = error is not None
        self.requirements = self._requirements()

    def _requirements(self) -> Requirements:
        selections = [each for each in (self.multiscale_planes, self.local_planes) if each is not None]
        points = self.final_selection.points
        nearest = () if self.local_planes is None else self.local_planes.sizes.counts[0]
        return Requirements(
            neighbours=max(self.neighbours[0], *nearest, self.small_planes.points, points),
            planes=tuple(each.sizes for each in selections),
            moments=True,
            edges=points,
            profile=self.variation_profile is not None,
        )

    def plan(self, geometry: Geometry, rows: Tensor) -> Plan:
        """The last fit is planned at the rows (M,), ascending, the one before it at all points that the last uses, and
        so on; the initial estimate at all points."""
        everyone = torch.arange(geometry.points, device=rows.device)
        moments = geometry.moments
        fits = [neighbourhoods(geometry, rows, self.neighbours, moments)]
        while len(fits) < len(self.fits):
            mask = torch.zeros_like(everyone, dtype=torch.bool)
            mask[fits[0].rows], mask[fits[0].table.flatten()] = True, True
            needed = everyone[mask]
            same = len(needed) == len(fits[0].rows)
            fits.insert(0, fits[0] if same else neighbourhoods(geometry, needed, self.neighbours, moments))
        small = self.small_planes.plan(geometry, CHUNK.get(rows.device.type, LARGEST_CHUNK))
        multiscale = None if self.multiscale_planes is None else self.multiscale_planes.plan(geometry)
        local = None if self.local_planes is None else self.local_planes.plan(geometry)
        return Plan(geometry, self.axis.plan(geometry, everyone), tuple(fits), small, multiscale, local)

    def _chunk(self, values: Tensor) -> int:
        """Number of points that are computed at once: all of them in training."""
        return max(len(values), 1) if self.training else CHUNK.get(values.device.type, LARGEST_CHUNK)

    def read(self, x: Tensor, frames: Frames, plan: Plan) -> tuple[Tensor, Tensor]:
        """Symmetric tensors (N, 3, 3) of the initial estimate, and embeddings with the log strengths b of the fits
        (N, embedding + fits), of all points."""
        return self.axis.read(x, frames, plan.axis), self.embed(x)

    def forward(self, readings: Sequence[tuple[Tensor, Tensor]], plan: Plan) -> Prediction:
        """Normals (M, 3) of the planned rows, and the estimates before them (1 + fits, M, 3): the initial estimates and
        the fits."""
        initial, outputs = self._initial(readings, plan)
        embedding, priors = outputs[:, : -len(self.fits)], outputs[:, -len(self.fits) :].unbind(-1)
        fit, iterates = self._fits(initial, embedding, priors, plan)
        rows, iterates = plan.fits[-1].rows, [*iterates, fit.normal]
        edge = nearest_edges(plan.geometry, rows, self.final_selection.points - 1)
        local = None if plan.local_planes is None else plan.local_planes.index_select(rows)
        embedding = embedding.index_select(0, rows)
        normal, dispersion = self.final_selection(edge, torch.stack(iterates), fit, embedding, local, self._chunk(rows))
        error = error_features = None
        if self.error is not None:
            error_features = self.error_features(normal, iterates, embedding, fit, dispersion)
            error = self.error(error_features)
        eigenvalues = fitted_value(fit.eigenvalues)
        collinear = eigenvalues[:, 1] <= RANK * eigenvalues[:, 2]
        normal = fall_back(normal, collinear, rows, plan.geometry, sum(self.neighbours))
        return Prediction(normal, torch.stack(iterates), error=error, error_features=error_features)

    @full_precision
    @torch.no_grad()
    def error_features(
        self, normal: Tensor, iterates: Sequence[Tensor], embedding: Tensor, fit: Fit, dispersion: Tensor
    ) -> Tensor:
        """Inputs (M, F) of the error model for normals (M, 3), all invariant: the embedding, the mean features and the
        ratios of the eigenvalues of the last fit, the dispersion (M, 1) of the final selection, and the angles between
        normal and iterates."""
        cosine = (torch.stack(list(iterates), dim=1) @ normal.unsqueeze(-1)).squeeze(-1)
        eigenvalues = fitted_value(fit.eigenvalues)
        ratios = log_ratio(eigenvalues[:, :2] / safe_divisor(eigenvalues[:, 2:]), RATIO_FLOOR)
        features = [fitted_value(fit.features), ratios, dispersion, log_sine(1 - cosine.square())]
        return torch.cat([embedding, *(each.to(embedding) for each in features)], dim=-1)

    def _initial(self, readings: Sequence[tuple[Tensor, Tensor]], plan: Plan) -> tuple[Tensor, Tensor]:
        """Initial estimates (N, 3), and embeddings with log strengths (N, embedding + fits), at all points."""
        tensor, embedding = (mean_of(each) for each in zip(*readings, strict=True))
        if self.variation_profile is not None:
            embedding = embedding + self.variation_profile(plan.geometry.profile, plan.geometry.levels[0].batch)
        selections = (
            (self.multiscale_planes, plan.multiscale_planes),
            (self.local_planes, plan.local_planes),
            (self.small_planes, plan.small_planes),
        )
        for selection, planes in selections:
            if selection is not None:
                mean, embedding = selection(planes, tensor.detach(), embedding, self._chunk(embedding))
                tensor = tensor + mean
        return self.axis([tensor], plan.axis).normal, embedding

    def _fits(
        self, initial: Tensor, embedding: Tensor, priors: Sequence[Tensor], plan: Plan
    ) -> tuple[Fit, list[Tensor]]:
        """The last fit, of M points, and the normals (M, 3) of the initial estimate (N, 3) and of the fits before the
        last, at these points."""
        rows, normals, displacement = plan.fits[-1].rows, initial.detach(), None
        fit, fit_rows, iterates = Fit(initial), torch.arange(len(initial), device=initial.device), []
        for number, (neighbourhood, prior) in enumerate(zip(plan.fits, priors, strict=True)):
            iterates.append(fit.normal.index_select(0, torch.searchsorted(fit_rows, rows)))
            if number > 0:
                displacement = torch.zeros_like(normals) if displacement is None else displacement
                of_fit = embedding.index_select(0, fit_rows)
                fit, displacement = self.offsets[number - 1](fit, of_fit, fit_rows, displacement)
            same = len(fit_rows) == len(neighbourhood.rows)
            previous = fit if same else fit.index_select(torch.searchsorted(fit_rows, neighbourhood.rows))
            fit = self._fit(number, neighbourhood, normals, previous, prior, embedding, displacement)
            fit_rows = neighbourhood.rows
            normals = normals.index_copy(0, fit_rows, fit.normal.detach())
        return fit, iterates

    def _fit(
        self,
        number: int,
        neighbourhood: Neighbourhoods,
        normals: Tensor,
        previous: Fit,
        prior: Tensor,
        embedding: Tensor,
        displacement: Tensor | None,
    ) -> Fit:
        """One fit, in chunks outside training; normals (N, 3) and prior (N,) of all points."""
        size, plane_fit = self._chunk(neighbourhood.rows), cast(PlaneFit, self.fits[number])
        senders = plane_fit.sender_layer(embedding)

        def fitted(numbered: tuple[int, Neighbourhoods]) -> Fit:
            index, chunk = numbered
            others = normals.index_select(0, chunk.table.flatten()).view_as(chunk.edge)
            before = previous.narrow(index * size, len(chunk.rows))
            chunk = chunk if displacement is None else chunk.displaced(displacement)
            of_points = (each.index_select(0, chunk.rows) for each in (prior, embedding))
            fit: Fit = plane_fit(chunk, others, before, *of_points, senders)
            return fit

        fits = parallel_map(fitted, list(enumerate(neighbourhood.split(size))), embedding.device)
        return fits[0] if len(fits) == 1 else concatenated(fits)
