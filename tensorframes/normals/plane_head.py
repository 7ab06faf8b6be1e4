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
    axis: tuple[Tensor, Tensor]  # the plan of the network's axis, at all points
    guessed: Tensor  # (G,) the rows and all points that the first fit uses, ascending
    guess: list[Any]  # the sources of the guess
    fitted: tuple[Neighbourhoods, ...]  # of each fit; ascending rows, which include all that the next fit uses
    final: list[Any]  # the sources of the final selection
    lines: Tensor  # (M,) whether the nearest points of the rows lie on a line
    wider: Tensor  # (M, 3) the normals there, of more points (``degenerate.fall_back``); zero elsewhere


class PlaneHead(Head[Plan, tuple[Tensor, Tensor]]):
    r"""Normals up to sign: a selection among planes, fits of planes in sequence, and a selection among all of them.

    The network's features give each point an embedding and an axis, that of an ``AxisHead``. The guess selects
    among this axis and the candidates of its sources (``Select``). Each fit (``WeightedFit``) starts from the normals
    before it, of the point and of its neighbours. The final selection is among the guess, the fits and the candidates
    of its sources. What the guess selected is added to the embedding, which the fits and the final selection use.

    Where the nearest points lie on a line the plane is that of four times as many points, then that of the whole
    cloud; if that is a line, too, the normal is zero, "no normal" (``degenerate.fall_back``).

    Args:
        reps: of the features.
        guess, final: make the selections, of an embedding's width and a number of estimates.
        fit: makes a fit, of an embedding's width.
        fits: number of fits.
        levels: number of levels whose planes the axis starts from, at most; all where the network has fewer.
        embedding: width of the embedding.
        error: makes the model of the error, of the width of its features (``ErrorModel``); None: none. Its gradient
            ends at its features, so that the normals are the same with and without it.

    Raises:
        ValueError: a number is below 1.
    """

    together = 500_000

    def __init__(
        self,
        reps: Representation | str,
        guess: Callable[[int, int], Select],
        fit: Callable[[int], WeightedFit],
        final: Callable[[int, int], Select],
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
        self.guess, self.final = guess(embedding, 1), final(embedding, fits + 1)
        self.seen = nn.Linear(self.guess.hidden, embedding, bias=False)
        nn.init.zeros_(self.seen.weight)
        self.error = error(embedding + self.final.hidden + 3 + fits) if error is not None else None
        self.predicts_error = error is not None
        made = [fit(embedding) for _ in range(fits)]
        self.fits = nn.ModuleList(made)
        self.requirements = self.guess.requirements | self.final.requirements | made[0].requirements

    def plan(self, geometry: Geometry, rows: Tensor) -> Plan:
        """The last fit is planned at the rows (M,), ascending, the one before it at all points that the last uses, and
        so on; the guess at all points that the first uses."""
        everyone = torch.arange(geometry.points, device=rows.device)
        fitted: list[Neighbourhoods] = []
        wanted = rows
        for fit in reversed(self.fits):
            same = bool(fitted) and len(wanted) == len(fitted[0].rows)
            fitted.insert(0, fitted[0] if same else cast(WeightedFit, fit).plan(geometry, wanted))
            used = torch.zeros_like(everyone, dtype=torch.bool)
            used[wanted], used[fitted[0].table.flatten()] = True, True
            wanted = everyone[used]
        guessed = rows if len(wanted) == len(rows) else wanted
        axis = self.axis.plan(geometry, everyone)
        guess, final, lines = self.guess.plan(geometry), self.final.plan(geometry), on_line(geometry, rows)
        none = geometry.levels[0].pos.new_zeros(len(rows), 3)
        wider = fall_back(none, lines, rows, geometry, self.guess.nearest)
        return Plan(geometry, rows, axis, guessed, guess, tuple(fitted), final, lines, wider)

    def read(self, x: Tensor, frames: Frames, plan: Plan) -> tuple[Tensor, Tensor]:
        """Symmetric tensors (N, 3, 3), whose principal axes are the network's, and embeddings (N, E), of all points."""
        return self.axis.read(x, frames, plan.axis), self.embed(x)

    def forward(self, readings: Sequence[tuple[Tensor, Tensor]], plan: Plan) -> Prediction:
        """Normals (M, 3) of the planned rows, and the iterates before them (2 + fits, M, 3): the network's axes, the
        guess, the fits."""
        tensor, embedding = (mean_of(each) for each in zip(*readings, strict=True))
        axis, size, guessed = largest_eigenvector(tensor), self._chunk(tensor), plan.guessed
        toward, own = axis.index_select(0, guessed).unsqueeze(1), embedding.index_select(0, guessed)
        normals, seen, _ = self.guess(plan.geometry, plan.guess, guessed, toward, own, size)
        normals = axis.index_copy(0, guessed, normals)
        embedding = embedding.index_copy(0, guessed, (own + self.seen(seen)).to(embedding))
        iterates = [axis.index_select(0, plan.rows), normals.index_select(0, plan.rows)]
        for fit, near in zip(self.fits, plan.fitted, strict=True):
            normal = fit(near, normals, embedding, size)
            normals = normals.index_copy(0, near.rows, normal)
            iterates.append(normals.index_select(0, plan.rows))
        estimates, own = torch.stack(iterates[1:], dim=1), embedding.index_select(0, plan.rows)
        normal, seen, apart = self.final(plan.geometry, plan.final, plan.rows, estimates, own, size)
        error = evidence = None
        if self.error is not None:
            evidence = self.evidence(normal, iterates, own, seen, apart)
            error = self.error(evidence)
        normal = torch.where(plan.lines.unsqueeze(-1), plan.wider, normal)
        return Prediction(normal, torch.stack(iterates), error=error, evidence=evidence)

    @full_precision
    @torch.no_grad()
    def evidence(
        self, normal: Tensor, iterates: Sequence[Tensor], embedding: Tensor, seen: Tensor, apart: Tensor
    ) -> Tensor:
        """Inputs (M, F) of the error model for normals (M, 3), all invariant: the embedding, the mean features and the
        spread (M, 1) of the candidates selected last, and the angles to the iterates."""
        cosine = (torch.stack(list(iterates), dim=1) @ normal.unsqueeze(-1)).squeeze(-1)
        return torch.cat([embedding, seen, apart.to(seen), log_sine(1 - cosine.square()).to(seen)], dim=-1)

    def _chunk(self, points: Tensor) -> int:
        """Number of points that are computed at once: all of them in training, and in a compiled or exported program,
        which has one size of chunks for clouds of any size."""
        at_once = self.training or torch.compiler.is_compiling()
        return max(points.shape[0], 1) if at_once else CHUNK.get(points.device.type, LARGEST_CHUNK)
