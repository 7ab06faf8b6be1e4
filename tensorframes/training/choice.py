"""Training of the last choice alone, on what the rest of a network finds of whole clouds, kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from tensorframes.clouds import keys
from tensorframes.errors import UserError
from tensorframes.estimator.joined import joined
from tensorframes.estimator.last_choice import Found, LastChoice
from tensorframes.geometry.distances import distinct_points
from tensorframes.training.losses import ChordalLoss
from tensorframes.training.module import NormalTraining
from tensorframes.training.schedule import OptimizerFactory, Schedule

PART = ("head.choice",)
SAME = 1e-3  # of the scale; from one rounding to another edges differ by far less, edges to other points by far more


@dataclass(frozen=True)
class Kept:
    """Points of one cloud, and what was found of them."""

    found: Found
    again: Found  # of the same points, the cloud's coordinates off by their rounding
    normal: Tensor  # (M, 3) true normals


@dataclass(frozen=True)
class Drawn:
    """Some points of several clouds, as losses take a batch of which all points are inner."""

    normal: Tensor  # (M, 3)
    batch: Tensor  # (M,) cloud of each point
    inner: Tensor  # (M,) true
    num_graphs: int


@dataclass(frozen=True)
class Chosen:
    """Normals (M, 3), corrected from nothing that is trained."""

    normal: Tensor
    steps: Tensor


class ChoiceTraining(NormalTraining):
    r"""Trains ``head.choice`` alone. The rest of the network stays as it is, in evaluation mode.

    What the rest finds of a whole cloud does not change, and takes about ten times as long as the choice itself: it is
    found once, and kept. Every ``every`` steps the batch of whole clouds (``data/samples=whole``, ``loader.repeat``: as
    many steps are given the same one) is looked at, ``rows`` random points of each, twice, the second time with
    coordinates shaken as float32 rounds them; the oldest beyond ``kept`` clouds are forgotten. Each step then trains on
    ``points`` points from ``clouds`` of those that are kept: the loss of these, and ``steady`` times the unsteadiness
    between both looks. What is kept is not in checkpoints: a run that goes on looks anew.

    Args:
        estimator: with a last choice. loss, optimizer, schedule, seed, recipe, steady: as ``NormalTraining``.
        only: must name the part that is trained, ``[head.choice]``.
        rows: points of each cloud that are kept. kept: clouds. every: steps from one look to the next.
        points, clouds: what each step draws.
    """

    def __init__(
        self,
        estimator: torch.nn.Module,
        loss: ChordalLoss,
        optimizer: OptimizerFactory,
        schedule: Schedule,
        seed: int = 0,
        recipe: dict[str, Any] | None = None,
        only: Sequence[str] = PART,
        steady: float = 0.0,
        rows: int = 8192,
        kept: int = 96,
        every: int = 6,
        points: int = 4096,
        clouds: int = 8,
    ) -> None:
        if tuple(only) != PART:
            raise ValueError(f"expected only={list(PART)}, what is trained here, got {list(only)}")
        if min(rows, kept, every, clouds) < 1 or points < clouds:
            raise ValueError(
                f"expected rows, kept, every and clouds >= 1 and points >= clouds, got {rows}, {kept}, {every}, "
                f"{clouds} and {points}"
            )
        if loss.oriented:
            raise ValueError("expected an unoriented loss for a choice among planes, got an oriented one")
        super().__init__(estimator, loss, optimizer, schedule, seed, recipe, only, steady)
        self.rows, self.every, self.points, self.clouds = rows, every, points, clouds
        self.kept: deque[Kept] = deque(maxlen=kept)

    def train(self, mode: bool = True) -> ChoiceTraining:
        """Training mode, in which the estimator finds what it finds in evaluation."""
        super().train(mode)
        self.estimator.eval()
        return self

    def on_fit_start(self) -> None:
        """Steps and batches are counted alike here."""
        if self.trainer.accumulate_grad_batches != 1:
            given = self.trainer.accumulate_grad_batches
            raise UserError(f"expected trainer.accumulate_grad_batches=1 for the choice alone, got {given}")

    def on_fit_end(self) -> None:
        """What was kept is of no use any more."""
        self.kept.clear()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of points drawn from the clouds kept; logs as ``NormalTraining`` does, and how many are kept."""
        if self.global_step % self.every == 0 or not self.kept:
            self._look(batch)
        if not self.kept:
            raise UserError("expected clouds whose points are not mostly copies of each other, got none so far")
        drawn, again, target = self._drawn()
        normal = self._choice.of(drawn)
        chosen = Chosen(normal, normal.new_zeros(0, *normal.shape))
        loss = self._judged(chosen, self._choice.of(again) if self.steady > 0 else None, target)
        self.log("train/clouds_kept", float(len(self.kept)), batch_size=1)
        return loss

    def loss_of(self, batch: Batch) -> Tensor:
        """The loss of points drawn from the clouds kept, not logged."""
        drawn, _, target = self._drawn()
        normal = self._choice.of(drawn)
        return self.loss(Chosen(normal, normal.new_zeros(0, *normal.shape)), target)

    @property
    def _choice(self) -> LastChoice:
        choice: LastChoice = self.estimator.get_submodule(PART[0])  # type: ignore[assignment]
        return choice

    def _look(self, batch: Batch) -> None:
        """Keep what is found of random inner points of each cloud of a batch, copies of points left out: what is found
        is found of distinct ones. So are points whose nearest neighbour is another one at the second look."""
        for data in batch.to_data_list():
            cloud = without_copies(data)
            inner = cloud.inner.nonzero()[:, 0]
            if len(inner) == 0:  # a copy of every labelled point is unlabelled, and came first
                continue
            rows = inner[torch.randperm(len(inner), device=inner.device)[: self.rows]].sort().values
            cloud.inner = torch.zeros_like(cloud.inner).index_fill(0, rows, True)
            with torch.no_grad():
                found = self._found(partial(self._predict, cloud))
                again = self._found(partial(self._shaken, cloud)) if self.steady > 0 else found
            if len(found.edge) == len(again.edge) == len(rows):
                same = (found.edge[:, 0] - again.edge[:, 0]).norm(dim=-1) < SAME
                some = same.nonzero()[:, 0]
                if len(some):
                    first = found.of(some)
                    second = first if again is found else again.of(some)
                    self.kept.append(Kept(first, second, cloud.normal[rows[some]]))

    def _found(self, look: Callable[[], object]) -> Found:
        """What the choice is given while the network looks."""
        seen: list[Found] = []
        handle = self._choice.register_forward_pre_hook(lambda _, given: seen.append(LastChoice.found(*given[:5])))
        try:
            look()
        finally:
            handle.remove()
        return seen[0]

    def _drawn(self) -> tuple[Found, Found, Any]:
        """Points of some of the clouds kept, both looks at them, and what they should be."""
        some = [self.kept[place] for place in torch.randint(len(self.kept), (self.clouds,)).tolist()]
        each = self.points // self.clouds
        rows = [torch.randint(len(one.normal), (each,), device=one.normal.device) for one in some]
        found, again = (
            joined([getattr(one, look).of(chosen) for one, chosen in zip(some, rows, strict=True)])
            for look in ("found", "again")
        )
        normal = torch.cat([one.normal[chosen] for one, chosen in zip(some, rows, strict=True)])
        cloud = torch.arange(self.clouds, device=normal.device).repeat_interleave(each)
        return found, again, Drawn(normal, cloud, torch.ones_like(cloud, dtype=torch.bool), self.clouds)


def without_copies(cloud: Data) -> Batch:
    """A batch of one cloud, of which every point is left once."""
    first = distinct_points(cloud.pos, torch.zeros_like(cloud.inner, dtype=torch.long)).first
    rows = {key: cloud[key][first] for key in (keys.POS, keys.NORMAL, keys.INNER)}
    others = {key: cloud[key] for key in (keys.SCALE, keys.PROFILE) if key in cloud}
    return Batch.from_data_list([Data(**rows, **others)])
