"""The plane-fitting head: weighted least-squares planes, with weights and a prior computed by the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from tensorframes.frames import Frames
from tensorframes.layers import MLP, Geometry, MultiScalePlanes, ProfileEmbedding, Requirements
from tensorframes.normals.candidates import log_share, log_sine, nearest_edges
from tensorframes.normals.confidence import ErrorModel
from tensorframes.normals.degenerate import RANK, fall_back
from tensorframes.normals.fit import Fit, of_fit
from tensorframes.normals.heads import AxisHead, Head, mean_of
from tensorframes.normals.joined import joined
from tensorframes.normals.last_choice import LastChoice
from tensorframes.normals.neighbourhoods import Neighbourhoods, neighbourhoods
from tensorframes.normals.offset import Offset
from tensorframes.normals.plane_votes import PlaneVotes, Search
from tensorframes.normals.prediction import Prediction
from tensorframes.normals.weighted_plane import PlaneFit
from tensorframes.normals.wide_guess import NearGuess, WideGuess
from tensorframes.parallel import parallel_map
from tensorframes.reps import Representation, full_precision

CHUNK = {"cpu": 1024}  # points fitted at once outside training: their intermediate values stay in the cache
LARGEST_CHUNK = 16384  # on other devices: bounds memory
THIN = 1e-6  # quotients of eigenvalues below which planes are alike


@dataclass(frozen=True)
class Plan:
    """The quantities that depend on the geometry alone."""

    geometry: Geometry
    guess: tuple[Tensor, Tensor]  # the plan of the guess, an ``AxisHead``
    fitted: tuple[Neighbourhoods, ...]  # of each fit; ascending rows, which include all that the next fit uses
    votes: Search  # the candidate planes of all points
    multiscale_planes: MultiScalePlanes | None  # of all points
    local_planes: MultiScalePlanes | None  # of all points


class PlaneFitHead(Head[Plan, tuple[Tensor, Tensor]]):
    r"""Normals by iteratively reweighted plane fits: a guess, then planes whose weights are computed by the network.

    The guess (``AxisHead`` with ``PlaneVotes``, optionally with ``WideGuess`` and ``NearGuess``) is corrected by a
    sequence of ``PlaneFit``. The weights of each depend on the normals before it, of the point and of its neighbours,
    as in Lenssen et al. (CVPR 2020, *Deep Iterative Surface Normal Estimation*), with a prior and coarse neighbours in
    addition.

    All fits but the first use points moved towards the planes fitted before (``Offset``). The normal is selected among
    the guess, the fitted planes, a jet, the local planes and the planes through the point and two of its nearest
    neighbours (``LastChoice``).

    The neighbours are the nearest points of level 0 and of coarser levels, represented by their pooled moments, so that
    planes are fitted to all points of level 0 that they represent; this averages more noise. Where they lie on
    a line the plane is that of four times the neighbours, then that of the whole cloud; if that is a line, too, the
    normal is zero, "no normal" (``degenerate.fall_back``).

    Args:
        reps: of the features.
        neighbours: numbers of fitted points of level 0, 1, ...; 0 for none.
        fits: number of planes that are fitted in sequence.
        hidden: width of the network that computes their weights.
        embedding: width of the point embedding that the features are mapped to.
        candidates: for each size the number of neighbours whose planes, beside the point's own, the guess selects from
            (``PlaneVotes``).
        sizes: numbers of nearest points that these planes are fitted to.
        minimal_samples: number of nearest neighbours whose pairs, with the point, define further candidate planes.
        tolerances: heights below which a neighbour is an inlier of a plane, in units of the neighbourhood's size.
        multiscale_planes: for level 1, 2, ... the numbers of its points that make the neighbourhoods whose planes are
            added to the guess (``WideGuess``); empty: none.
        local_planes: for level 0, 1, ... the numbers of its points that make the neighbourhoods, centred at each point
            of level 0, whose planes are added to the guess (``NearGuess``); empty: none.
        variation_profile: add an embedding of the whole cloud's surface-variation profile (``ProfileEmbedding``).
        final_selection: settings of ``LastChoice``, by name; None: its defaults.
        error: makes the model of the error, of the width of its features (``ErrorModel``); None: none. As in
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
        candidates: Sequence[int] = (8, 4),
        sizes: Sequence[int] = (4, 16),
        minimal_samples: int = 5,
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
        self.guess = AxisHead(reps, len(self.neighbours))
        self.embed = MLP([reps.dim, reps.dim, width], norm="layer")
        self.fits = nn.ModuleList(PlaneFit(len(self.neighbours), hidden, embedding) for _ in range(fits))
        self.offsets = nn.ModuleList(Offset(embedding, hidden) for _ in range(fits - 1))
        self.votes = PlaneVotes(width, sizes, candidates, minimal_samples, tolerances)
        self.multiscale_planes = WideGuess(width, multiscale_planes) if multiscale_planes else None
        self.local_planes = NearGuess(width, local_planes) if local_planes else None
        self.variation_profile = ProfileEmbedding(width) if variation_profile else None
        planes = 0 if self.local_planes is None else self.local_planes.sizes.planes
        self.final_selection = LastChoice(embedding, fits + 1, planes, **(final_selection or {}))
        self.error = error(embedding + hidden + fits + 4) if error is not None else None
        self.predicts_error = error is not None
        self.requirements = self._requirements()

    def _requirements(self) -> Requirements:
        parts = [each for each in (self.multiscale_planes, self.local_planes) if each is not None]
        reach = self.final_selection.reach
        nearest = () if self.local_planes is None else self.local_planes.sizes.counts[0]
        return Requirements(
            neighbours=max(self.neighbours[0], *nearest, self.votes.reach, reach),
            planes=tuple(each.sizes for each in parts),
            moments=True,
            edges=reach,
            profile=self.variation_profile is not None,
        )

    def plan(self, geometry: Geometry, rows: Tensor) -> Plan:
        """The neighbourhoods of each fit: the last at the rows (M,), ascending, the one before it at all points that
        the last uses, and so on; the guess at all points."""
        everyone = torch.arange(geometry.points, device=rows.device)
        moments = geometry.moments
        fitted = [neighbourhoods(geometry, rows, self.neighbours, moments)]
        while len(fitted) < len(self.fits):
            used = torch.zeros_like(everyone, dtype=torch.bool)
            used[fitted[0].rows], used[fitted[0].table.flatten()] = True, True
            wanted = everyone[used]
            same = len(wanted) == len(fitted[0].rows)
            fitted.insert(0, fitted[0] if same else neighbourhoods(geometry, wanted, self.neighbours, moments))
        votes = self.votes.plan(geometry, CHUNK.get(rows.device.type, LARGEST_CHUNK))
        multiscale = None if self.multiscale_planes is None else self.multiscale_planes.plan(geometry)
        local = None if self.local_planes is None else self.local_planes.plan(geometry)
        return Plan(geometry, self.guess.plan(geometry, everyone), tuple(fitted), votes, multiscale, local)

    def _chunk(self, values: Tensor) -> int:
        """Number of points that are computed at once: all of them in training."""
        return max(len(values), 1) if self.training else CHUNK.get(values.device.type, LARGEST_CHUNK)

    def read(self, x: Tensor, frames: Frames, plan: Plan) -> tuple[Tensor, Tensor]:
        """Tensors of the guess (N, 3, 3), and embeddings with the fits' priors (N, embedding + fits), of all points."""
        return self.guess.read(x, frames, plan.guess), self.embed(x)

    def forward(self, readings: Sequence[tuple[Tensor, Tensor]], plan: Plan) -> Prediction:
        """Normals (M, 3) of the planned rows, and the iterates before them (fits + 1, M, 3): the guess and the fits."""
        guess, read = self._guess(readings, plan)
        embedding, priors = read[:, : -len(self.fits)], read[:, -len(self.fits) :].unbind(-1)
        fit, iterates = self._fits(guess, embedding, priors, plan)
        rows, iterates = plan.fitted[-1].rows, [*iterates, fit.normal]
        edge = nearest_edges(plan.geometry, rows, self.final_selection.reach - 1)
        local = None if plan.local_planes is None else plan.local_planes.of(rows)
        own = embedding.index_select(0, rows)
        normal, dispersion = self.final_selection(edge, torch.stack(iterates), fit, own, local, self._chunk(rows))
        error = evidence = None
        if self.error is not None:
            evidence = self.evidence(normal, iterates, own, fit, dispersion)
            error = self.error(evidence)
        values = of_fit(fit.values)
        failed = values[:, 1] <= RANK * values[:, 2]
        normal = fall_back(normal, failed, rows, plan.geometry, sum(self.neighbours))
        return Prediction(normal, torch.stack(iterates), error=error, evidence=evidence)

    @full_precision
    @torch.no_grad()
    def evidence(
        self, normal: Tensor, iterates: Sequence[Tensor], embedding: Tensor, fit: Fit, apart: Tensor
    ) -> Tensor:
        """Inputs (M, F) of the error model for normals (M, 3), all invariant: the embedding, the mean features and the
        shape of the points of the last fit, the spread of the selected candidates (M, 1), and the angles to the
        iterates."""
        cosine = (torch.stack(list(iterates), dim=1) @ normal.unsqueeze(-1)).squeeze(-1)
        values = of_fit(fit.values)
        thin = log_share(values[:, :2] / torch.where(values[:, 2:] > 0, values[:, 2:], 1), THIN)
        numbers = [of_fit(fit.features), thin, apart, log_sine(1 - cosine.square())]
        return torch.cat([embedding, *(each.to(embedding) for each in numbers)], dim=-1)

    def _guess(self, readings: Sequence[tuple[Tensor, Tensor]], plan: Plan) -> tuple[Tensor, Tensor]:
        """Normals of the guess (N, 3), and embeddings with priors (N, embedding + fits), at all points."""
        tensor, read = (mean_of(each) for each in zip(*readings, strict=True))
        if self.variation_profile is not None:
            read = read + self.variation_profile(plan.geometry.profile, plan.geometry.levels[0].batch)
        parts = (
            (self.multiscale_planes, plan.multiscale_planes),
            (self.local_planes, plan.local_planes),
            (self.votes, plan.votes),
        )
        for part, planned in parts:
            if part is not None:
                added, read = part(planned, tensor.detach(), read, self._chunk(read))
                tensor = tensor + added
        return self.guess([tensor], plan.guess).normal, read

    def _fits(self, guess: Tensor, embedding: Tensor, priors: Sequence[Tensor], plan: Plan) -> tuple[Fit, list[Tensor]]:
        """The last fit, of M points, and the normals (M, 3) of the guess (N, 3) and of the fits before the last."""
        rows, normals = plan.fitted[-1].rows, guess.detach()
        fit, fitted_rows, iterates, moved = Fit(guess), torch.arange(len(guess), device=guess.device), [], None
        for number, (near, prior) in enumerate(zip(plan.fitted, priors, strict=True)):
            iterates.append(fit.normal.index_select(0, torch.searchsorted(fitted_rows, rows)))
            if number > 0:
                moved = torch.zeros_like(normals) if moved is None else moved
                own = embedding.index_select(0, fitted_rows)
                fit, moved = self.offsets[number - 1](fit, own, fitted_rows, moved)
            same = len(fitted_rows) == len(near.rows)
            before = fit if same else fit.of(torch.searchsorted(fitted_rows, near.rows))
            fit, fitted_rows = self._fit(number, near, normals, before, prior, embedding, moved), near.rows
            normals = normals.index_copy(0, fitted_rows, fit.normal.detach())
        return fit, iterates

    def _fit(
        self,
        number: int,
        near: Neighbourhoods,
        normals: Tensor,
        before: Fit,
        prior: Tensor,
        embedding: Tensor,
        moved: Tensor | None,
    ) -> Fit:
        """One fit at the points of ``near``, in chunks outside training; normals (N, 3), prior (N,) of all points."""
        size, plane = self._chunk(near.rows), cast(PlaneFit, self.fits[number])
        sent = plane.sender(embedding)

        def fitted(numbered: tuple[int, Neighbourhoods]) -> Fit:
            place, chunk = numbered
            neighbour_normals = normals.index_select(0, chunk.table.flatten()).view_as(chunk.edge)
            begun = before.part(place * size, len(chunk.rows))
            chunk = chunk if moved is None else chunk.moved(moved)
            own = (each.index_select(0, chunk.rows) for each in (prior, embedding))
            fit: Fit = plane(chunk, neighbour_normals, begun, *own, sent)
            return fit

        fits = parallel_map(fitted, list(enumerate(near.split(size))), embedding.device)
        return fits[0] if len(fits) == 1 else joined(fits)
