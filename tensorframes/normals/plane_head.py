"""``PlaneHead``: a head that selects among candidate planes and fits planes; normals up to sign."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from tensorframes.frames import Frames
from tensorframes.layers import MLP, Geometry, largest_eigenvector
from tensorframes.normals.candidates import log_sine
from tensorframes.normals.confidence import ErrorModel
from tensorframes.normals.degenerate import fall_back, on_line
from tensorframes.normals.heads import AxisHead, Head, mean_of
from tensorframes.normals.neighbourhoods import Neighbourhoods
from tensorframes.normals.prediction import Prediction
from tensorframes.normals.select import Select
from tensorframes.normals.weighted_fit import WeightedFit
from tensorframes.reps import Representation, full_precision, representation

CHUNK = {"cpu": 2048}  # points computed at once outside training: their intermediate values stay in the cache
LARGEST_CHUNK = 65536  # on other devices: bounds memory


@dataclass(frozen=True)
class Plan:
    """The quantities that depend on the geometry alone."""

    geometry: Geometry
    rows: Tensor  # (M,) points whose normals are computed
    axis: tuple[Tensor, Tensor]  # plan of the network's axis, at all points
    initial_rows: (
        Tensor  # (G,) points with an initial estimate: the rows and all neighbours of the first fit, ascending
    )
    initial: list[Any]  # plans of the sources of the initial selection
    fits: tuple[Neighbourhoods, ...]  # of each fit, at ascending points, which include all that the next fit uses
    final: list[Any]  # plans of the sources of the final selection
    collinear: Tensor  # (M,) whether the nearest points of the rows lie on a line
    fallback: Tensor  # (M, 3) normals of more points there (``degenerate.fall_back``); zero elsewhere


class PlaneHead(Head[Plan, tuple[Tensor, Tensor]]):
    r"""Normals up to sign, in three steps:

    .. math:: \mathrm{Select}(\text{axis, sources}) \to \mathrm{WeightedFit}
        \to \mathrm{Select}(\text{estimates, sources}).

    The network's features give each point an embedding and an axis, that of an ``AxisHead``. The initial estimate is a
    selection among this axis and the candidates of its sources (``Select``). A sequence of fits (``WeightedFit``)
    starts from it; each uses the previous estimates of the point and of its neighbours. The final selection is among
    the initial estimate, the fits and the candidates of its own sources. The mean hidden features of the candidates in
    the initial selection are added to the embedding that the fits and the final selection use.

    If the nearest points lie on a line, the normal is that of the plane of four times as many points, otherwise of the
    whole cloud, otherwise zero, "no normal" (``degenerate.fall_back``).

    Args:
        reps: of the features.
        initial_selection, final_selection: make the two selections, from the width of the embedding and the number of
            estimates.
        fit: makes a fit, from the width of the embedding.
        fits: number of fits.
        levels: number of levels whose planes are inputs of the axis, at most; all if the network has fewer.
        embedding: width of the embedding.
        error: makes the model of the error, from the width of its features (``ErrorModel``); None: none. Its features
            are detached, so that training it does not change the normals.

    Raises:
        ValueError: a number is below 1.
    """

    concurrent_points = 500_000

    def __init__(
        self,
        reps: Representation | str,
        initial_selection: Callable[[int, int], Select],
        fit: Callable[[int], WeightedFit],
        final_selection: Callable[[int, int], Select],
        fits: int = 1,
        levels: int = 4,
        embedding: int = 16,
        error: Callable[[int], ErrorModel] | None = None,
    ) -> None:
        reps = representation(reps)
        super().__init__()
        if min(fits, levels, embedding) < 1:
            raise ValueError(f"expected fits, levels and embedding >= 1, got {fits}, {levels} and {embedding}")
        self.axis = AxisHead(reps, levels)
        self.embed = MLP([reps.dim, reps.dim, embedding], norm="layer")
        self.initial_selection = initial_selection(embedding, 1)
        self.final_selection = final_selection(embedding, fits + 1)
        self.feature_layer = nn.Linear(self.initial_selection.hidden, embedding, bias=False)
        nn.init.zeros_(self.feature_layer.weight)
        self.error = error(embedding + self.final_selection.hidden + 3 + fits) if error is not None else None
        self.predicts_error = error is not None
        made = [fit(embedding) for _ in range(fits)]
        self.fits = nn.ModuleList(made)
        selections = self.initial_selection.requirements | self.final_selection.requirements
        self.requirements = selections | made[0].requirements

    def plan(self, geometry: Geometry, rows: Tensor) -> Plan:
        """The last fit is planned at the rows (M,), ascending, the one before it at all points that the last uses, and
        so on; the initial selection at all points that the first fit uses."""
        everyone = torch.arange(geometry.points, device=rows.device)
        fits: list[Neighbourhoods] = []
        needed = rows
        for fit in reversed(self.fits):
            same = bool(fits) and len(needed) == len(fits[0].rows)
            fits.insert(0, fits[0] if same else cast(WeightedFit, fit).plan(geometry, needed))
            mask = torch.zeros_like(everyone, dtype=torch.bool)
            mask[needed], mask[fits[0].table.flatten()] = True, True
            needed = everyone[mask]
        initial_rows = rows if len(needed) == len(rows) else needed
        axis = self.axis.plan(geometry, everyone)
        initial, final = self.initial_selection.plan(geometry), self.final_selection.plan(geometry)
        collinear = on_line(geometry, rows)
        zeros = geometry.levels[0].pos.new_zeros(len(rows), 3)
        fallback = fall_back(zeros, collinear, rows, geometry, self.initial_selection.nearest)
        return Plan(geometry, rows, axis, initial_rows, initial, tuple(fits), final, collinear, fallback)

    def read(self, x: Tensor, frames: Frames, plan: Plan) -> tuple[Tensor, Tensor]:
        """Symmetric tensors (N, 3, 3), whose principal axes are the network's, and embeddings (N, E), of all points."""
        return self.axis.read(x, frames, plan.axis), self.embed(x)

    def forward(self, readings: Sequence[tuple[Tensor, Tensor]], plan: Plan) -> Prediction:
        """Normals (M, 3) of the planned rows, and the estimates before them (2 + fits, M, 3): the network's axes, the
        initial estimates, the fits."""
        tensor, embedding = (mean_of(each) for each in zip(*readings, strict=True))
        axis, size = largest_eigenvector(tensor), self._chunk(tensor)
        normals, embedding = self._initial(axis, embedding, plan, size)
        iterates = [axis.index_select(0, plan.rows), normals.index_select(0, plan.rows)]
        for fit, neighbourhood in zip(self.fits, plan.fits, strict=True):
            normal = fit(neighbourhood, normals, embedding, size)
            normals = normals.index_copy(0, neighbourhood.rows, normal)
            iterates.append(normals.index_select(0, plan.rows))
        estimates, embedding = torch.stack(iterates[1:], dim=1), embedding.index_select(0, plan.rows)
        normal, features, dispersion = self.final_selection(
            plan.geometry, plan.final, plan.rows, estimates, embedding, size
        )
        error = error_features = None
        if self.error is not None:
            error_features = self.error_features(normal, iterates, embedding, features, dispersion)
            error = self.error(error_features)
        normal = torch.where(plan.collinear.unsqueeze(-1), plan.fallback, normal)
        return Prediction(normal, torch.stack(iterates), error=error, error_features=error_features)

    def _initial(self, axis: Tensor, embedding: Tensor, plan: Plan, size: int) -> tuple[Tensor, Tensor]:
        """Initial estimates (N, 3), and embeddings (N, E) with the features of the selection, at all points; those that
        no fit uses keep their axis and embedding."""
        rows = plan.initial_rows
        estimates, before = axis.index_select(0, rows).unsqueeze(1), embedding.index_select(0, rows)
        normals, features, _ = self.initial_selection(plan.geometry, plan.initial, rows, estimates, before, size)
        after = (before + self.feature_layer(features)).to(embedding)
        return axis.index_copy(0, rows, normals), embedding.index_copy(0, rows, after)

    @full_precision
    @torch.no_grad()
    def error_features(
        self, normal: Tensor, iterates: Sequence[Tensor], embedding: Tensor, features: Tensor, dispersion: Tensor
    ) -> Tensor:
        """Inputs (M, F) of the error model for normals (M, 3), all invariant: the embedding, the mean features and the
        dispersion (M, 1) of the final selection, and the angles between normal and iterates."""
        cosine = (torch.stack(list(iterates), dim=1) @ normal.unsqueeze(-1)).squeeze(-1)
        angles = log_sine(1 - cosine.square())
        return torch.cat([embedding, features, dispersion.to(features), angles.to(features)], dim=-1)

    def _chunk(self, points: Tensor) -> int:
        """Number of points that are computed at once: all of them in training, and in a compiled or exported program,
        which has one size of chunks for clouds of any size."""
        at_once = self.training or torch.compiler.is_compiling()
        return max(points.shape[0], 1) if at_once else CHUNK.get(points.device.type, LARGEST_CHUNK)
