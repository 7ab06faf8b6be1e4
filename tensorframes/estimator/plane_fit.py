"""The head that decides: weighted least-squares planes, their weights and their prior given by the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tensorframes.estimator.degenerate import RANK, fall_back
from tensorframes.estimator.heads import AxisHead, mean_of
from tensorframes.estimator.neighbourhoods import Neighbourhoods, neighbourhoods
from tensorframes.estimator.weighted_plane import Fit, PlaneFit, RobustPlaneFit
from tensorframes.frames import Frames
from tensorframes.geometry import Hierarchy
from tensorframes.layers import MLP
from tensorframes.reps import Representation

CHUNK = {"cpu": 1024}  # points fitted at once outside training: what they take stays in the cache
LARGEST_CHUNK = 16384  # on other devices: bounds memory


class PlaneFitHead(nn.Module):
    r"""Planes through the neighbours, each neighbour weighed by the network, from its own guess to a normal.

    The guess (``AxisHead``) is corrected by one ``PlaneFit`` after the other, each starting from the normal before.
    After Lenssen et al. (CVPR 2020: iterated weights for a least-squares plane), with the prior and the coarse
    neighbours added.

    The neighbours are the nearest points and, so that noise can be averaged over more than those, the nearest points of
    coarser levels. Where they lie on a line the plane comes from four times the neighbours, then from the whole cloud;
    if that is a line too, the answer is "no normal", zeros.

    Args:
        reps: of the features.
        neighbours: for each level (0, 1, ...) how many of its points are fitted; 0 for none.
        fits: how many planes are fitted in turn.
        hidden: width of the network that weighs them.
        told: numbers the network tells of each point.
        robust: weigh by residuals, too (``RobustPlaneFit``).
    """

    def __init__(
        self,
        reps: Representation,
        neighbours: Sequence[int] = (18, 12, 12, 12),
        fits: int = 1,
        hidden: int = 32,
        told: int = 16,
        robust: bool = False,
    ) -> None:
        super().__init__()
        if not neighbours or neighbours[0] < 3 or min(neighbours) < 0:
            raise ValueError(f"expected at least 3 neighbours at level 0 and none below 0, got {list(neighbours)}")
        if min(fits, hidden // 2, told) < 1:
            raise ValueError(f"expected fits >= 1, hidden >= 2 and told >= 1, got {fits}, {hidden} and {told}")
        self.neighbours = tuple(neighbours)
        self.guess = AxisHead(reps, len(self.neighbours))
        self.tell = MLP([reps.dim, reps.dim, told + fits], norm="layer")
        kind = RobustPlaneFit if robust else PlaneFit
        self.fits = nn.ModuleList(kind(len(self.neighbours), hidden, told) for _ in range(fits))

    def plan(self, hierarchy: Hierarchy, rows: Tensor) -> tuple[Neighbourhoods, Any]:
        """The neighbours of the rows (M,), and what the guess at all points needs."""
        everyone = torch.arange(hierarchy.points, device=rows.device)
        return neighbourhoods(hierarchy, rows, self.neighbours), self.guess.plan(hierarchy, everyone)

    def read(self, x: Tensor, frames: Frames, plan: tuple[Neighbourhoods, Any]) -> tuple[Tensor, Tensor]:
        """Tensors of the guess (N, 3, 3), and what the network tells of each point (N, told + fits), at all points."""
        return self.guess.read(x, frames, plan[1]), self.tell(x)

    def forward(
        self, readings: Sequence[tuple[Tensor, Tensor]], plan: tuple[Neighbourhoods, Any]
    ) -> tuple[Tensor, Tensor]:
        """Normals (M, 3) of the rows planned for, and what they were corrected from (fits, M, 3)."""
        near, planes = plan
        guess, _ = self.guess([tensor for tensor, _ in readings], planes)
        told = mean_of([told for _, told in readings])
        parts = [near] if self.training else near.split(CHUNK.get(near.edge.device.type, LARGEST_CHUNK))
        fitted = [self._fit(part, guess, told) for part in parts]
        steps = torch.cat([steps for steps, _ in fitted], dim=1)
        failed = torch.cat([failed for _, failed in fitted])
        return fall_back(steps[-1], failed, near.rows, near.hierarchy, sum(self.neighbours)), steps[:-1]

    def _fit(self, near: Neighbourhoods, guess: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """Guess and normals (fits + 1, M, 3), and which rows (M,) lie on lines."""
        count = len(self.fits)
        priors, told = told[:, -count:].index_select(0, near.rows), told[:, :-count]
        sights = guess.detach().index_select(0, near.table.flatten()).view_as(near.edge)
        steps = [Fit(guess.index_select(0, near.rows))]
        for fit, prior in zip(self.fits, priors.unbind(-1), strict=True):
            steps.append(fit(near, sights, steps[-1], prior, told))
        values = steps[-1].values
        return torch.stack([step.normal for step in steps]), values[:, 1] <= RANK * values[:, 2]
