"""The head that decides: weighted least-squares planes, their weights and their prior given by the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from tensorframes.frames import Frames
from tensorframes.geometry import Hierarchy
from tensorframes.layers import MLP, KnownProfile, WidePlanes, regions_of_levels
from tensorframes.normals.degenerate import RANK, fall_back
from tensorframes.normals.heads import AxisHead, mean_of
from tensorframes.normals.joined import joined
from tensorframes.normals.last_choice import LastChoice
from tensorframes.normals.neighbourhoods import Neighbourhoods, neighbourhoods
from tensorframes.normals.plane_votes import PlaneVotes, Search
from tensorframes.normals.weighted_plane import Fit, PlaneFit, RobustPlaneFit
from tensorframes.normals.wide_guess import NearGuess, WideGuess
from tensorframes.parallel import parallel_map
from tensorframes.reps import Representation

CHUNK = {"cpu": 1024}  # points fitted at once outside training: what they take stays in the cache
LARGEST_CHUNK = 16384  # on other devices: bounds memory


class PlaneFitHead(nn.Module):
    r"""Planes through the neighbours, each neighbour weighed by the network, from its own guess to a normal.

    The guess (``AxisHead``, with ``WideGuess`` and ``PlaneVotes`` if asked for) is corrected by one ``PlaneFit`` after
    the other, each starting from the normals before, those of the point and of its neighbours. After Lenssen et al.
    (CVPR 2020: iterated weights for a least-squares plane), with the prior and the coarse neighbours added.

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
        candidates: among how many neighbours' planes, beside its own, the guess chooses (``PlaneVotes``), for
            all sizes or for each; 0: no choice.
        sizes: nearest points that those planes are fitted to.
        triples: among how many nearest neighbours pairs make planes with the point, to choose from, too.
        tolerances: heights at which neighbours count as in such a plane, in units of the neighbourhood's size.
        wide: for level 1, 2, ... of how many of its regions wide neighbourhoods are made, whose planes are added to the
            guess (``WideGuess``); none: nothing is added.
        regions: fit to all the points that the coarse neighbours stand for (``regions_of_levels``), weighed together,
            instead of to these neighbours as points.
        filtering: the prior of a fit holds the fitted points' normals before it, too.
        offsets: all fits but the first are made to points moved towards the planes fitted before (``Offset``).
        near: for level 0, 1, ... of how many of its points or regions neighbourhoods of each point itself are made,
            whose planes are added to the guess (``NearGuess``); none: nothing is added.
        profile: what the network tells of each point also follows from the whole cloud's profile (``KnownProfile``).
        choice: the last word has a choice among the guess, the planes fitted, a jet, the near planes and the planes
            through the point and two of so many nearest neighbours (``LastChoice``, or its settings by name); 0: the
            last fit has it.
    """

    def __init__(
        self,
        reps: Representation,
        neighbours: Sequence[int] = (18, 12, 12, 12),
        fits: int = 1,
        hidden: int = 32,
        told: int = 16,
        robust: bool = False,
        candidates: int | Sequence[int] = 0,
        sizes: Sequence[int] = (6, 10, 16),
        triples: int = 0,
        tolerances: Sequence[float] = (0.003, 0.012, 0.05, 0.2),
        wide: Sequence[Sequence[int]] = (),
        regions: bool = False,
        filtering: bool = False,
        offsets: bool = False,
        near: Sequence[Sequence[int]] = (),
        profile: bool = False,
        choice: int | Mapping[str, Any] = 0,
    ) -> None:
        super().__init__()
        if not neighbours or neighbours[0] < 3 or min(neighbours) < 0:
            raise ValueError(f"expected at least 3 neighbours at level 0 and none below 0, got {list(neighbours)}")
        if min(fits, hidden // 2, told) < 1:
            raise ValueError(f"expected fits >= 1, hidden >= 2 and told >= 1, got {fits}, {hidden} and {told}")
        if offsets and fits < 2:
            raise ValueError(f"expected fits >= 2 with offsets, got {fits}")
        counts = [candidates] * len(sizes) if isinstance(candidates, int) else list(candidates)
        self.neighbours, self.regions = tuple(neighbours), regions
        self.guess = AxisHead(reps, len(self.neighbours))
        self.tell = MLP([reps.dim, reps.dim, told + fits], norm="layer")
        kind = RobustPlaneFit if robust else PlaneFit
        self.fits = nn.ModuleList(kind(len(self.neighbours), hidden, told, filtering) for _ in range(fits))
        self.offsets = nn.ModuleList(Offset(told, hidden) for _ in range(fits - 1)) if offsets else None
        self.votes = PlaneVotes(told + fits, sizes, counts, triples, tolerances) if candidates else None
        self.wide = WideGuess(told + fits, wide) if wide else None
        self.near = NearGuess(told + fits, near) if near else None
        self.profile = KnownProfile(told + fits) if profile else None
        settings = choice if isinstance(choice, Mapping) else {"nearest": choice}
        self.choice = LastChoice(told, fits + 1, sum(len(sizes) for sizes in near), **settings) if choice else None
        self.coarse = max(len(wide), len(near) - 1)
        asked = [part.reach for part in (self.votes, self.choice) if part is not None]
        self.reach = max(neighbours[0], *(near[0] if near else ()), *asked, 0)

    def prepare(self, hierarchy: Hierarchy) -> None:
        """The near planes, and how points lie to each other: rounded positions would not tell how thin planes are."""
        if self.near is not None:
            self.near.plan(hierarchy)
        if self.choice is not None:
            self.choice.plan(hierarchy)

    def plan(self, hierarchy: Hierarchy, rows: Tensor) -> Plan:
        """Whom each fit is for, and what it fits: the last the rows (M,), ascending, the one before all that the last
        looks at, and so on; the guess all points."""
        everyone = torch.arange(hierarchy.points, device=rows.device)
        regions = regions_of_levels(hierarchy) if self.regions else None
        fitted = [neighbourhoods(hierarchy, rows, self.neighbours, regions)]
        while len(fitted) < len(self.fits):
            seen = torch.zeros_like(everyone, dtype=torch.bool)
            seen[fitted[0].rows], seen[fitted[0].table.flatten()] = True, True
            wanted = everyone[seen]
            same = len(wanted) == len(fitted[0].rows)
            fitted.insert(0, fitted[0] if same else neighbourhoods(hierarchy, wanted, self.neighbours, regions))
        votes = None if self.votes is None else self.votes.plan(hierarchy, CHUNK.get(rows.device.type, LARGEST_CHUNK))
        wide = None if self.wide is None else self.wide.plan(hierarchy)
        near = None if self.near is None else self.near.plan(hierarchy)
        return Plan(self.guess.plan(hierarchy, everyone), fitted, votes, wide, near)

    def _part(self, values: Tensor) -> int:
        """How many points are looked at together: all of them in training."""
        return max(len(values), 1) if self.training else CHUNK.get(values.device.type, LARGEST_CHUNK)

    def read(self, x: Tensor, frames: Frames, plan: Plan) -> tuple[Tensor, Tensor]:
        """Tensors of the guess (N, 3, 3), and what the network tells of each point (N, told + fits), at all points."""
        return self.guess.read(x, frames, plan.guess), self.tell(x)

    def forward(self, readings: Sequence[tuple[Tensor, Tensor]], plan: Plan) -> tuple[Tensor, Tensor]:
        """Normals (M, 3) of the rows planned for, and what they were corrected from: the guess and the fits but the
        last, (fits, M, 3), and with a last choice that, too, (fits + 1, M, 3)."""
        tensor, read = (mean_of(each) for each in zip(*readings, strict=True))
        if self.profile is not None:
            hierarchy = plan.fitted[-1].hierarchy
            read = read + self.profile(hierarchy, hierarchy.levels[0].batch)
        if self.wide is not None:
            added, read = self.wide(plan.wide, tensor.detach(), read, self._part(read))
            tensor = tensor + added
        if self.near is not None:
            added, read = self.near(plan.near, tensor.detach(), read, self._part(read))
            tensor = tensor + added
        if self.votes is not None:
            votes, read = self.votes(plan.votes, tensor.detach(), read, self._part(read))
            tensor = tensor + votes
        told, priors = read[:, : -len(self.fits)], read[:, -len(self.fits) :].unbind(-1)
        guess, _ = self.guess([tensor], plan.guess)
        rows, normals = plan.fitted[-1].rows, guess.detach()
        fit, known, steps, moved = Fit(guess), torch.arange(len(guess), device=guess.device), [], None
        for number, (plane, near, prior) in enumerate(zip(self.fits, plan.fitted, priors, strict=True)):
            steps.append(fit.normal.index_select(0, torch.searchsorted(known, rows)))
            if number > 0 and self.offsets is not None:
                moved = torch.zeros_like(normals) if moved is None else moved
                fit, moved = self.offsets[number - 1](fit, told.index_select(0, known), known, moved)
            begun = fit if len(known) == len(near.rows) else fit.of(torch.searchsorted(known, near.rows))
            fit, known = self._fit(plane, near, normals, begun, prior, told, moved), near.rows
            normals = normals.index_copy(0, known, fit.normal.detach())
        normal, hierarchy = fit.normal, plan.fitted[-1].hierarchy
        if self.choice is not None:
            steps.append(normal)
            edge, around = self.choice.plan(hierarchy), None if plan.near is None else plan.near.of(rows)
            known = told.index_select(0, rows)
            normal = self.choice(edge.index_select(0, rows), torch.stack(steps), fit, known, around, self._part(rows))
        failed = fit.values[:, 1] <= RANK * fit.values[:, 2]
        normal = fall_back(normal, failed, rows, hierarchy, sum(self.neighbours))
        return normal, torch.stack(steps)

    def _fit(
        self,
        plane: PlaneFit,
        near: Neighbourhoods,
        normals: Tensor,
        before: Fit,
        prior: Tensor,
        told: Tensor,
        moved: Tensor | None,
    ) -> Fit:
        """One fit at the points of ``near``, in parts outside training; normals (N, 3) and prior (N,) of all points."""
        size, sent = self._part(near.rows), plane.sender(told)

        def fitted(piece: tuple[int, Neighbourhoods]) -> Fit:
            number, part = piece
            sights = normals.index_select(0, part.table.flatten()).view_as(part.edge)
            begun = before.part(number * size, len(part.rows))
            part = part if moved is None else part.moved(moved)
            fit: Fit = plane(part, sights, begun, *(each.index_select(0, part.rows) for each in (prior, told)), sent)
            return fit

        found = parallel_map(fitted, list(enumerate(near.split(size))), told.device)
        return found[0] if len(found) == 1 else joined(found)


class Offset(nn.Module):
    r"""Where points are taken to be once a plane was fitted to their neighbourhoods: nearer to it.

    .. math:: x_i' = x_i + \sigma(a_i)\, h_i\, n_i,

    n the normal of the fit before, h the height of its mean above the point and a a number the network gives: a part of
    the way to the plane, as in projections onto moving least squares surfaces, and as AdaFit (Zhu et al. 2021) moves
    points by offsets. Heights of moved neighbours tell edges where noise had hidden them.

    Args:
        told: numbers the network tells of each point. hidden: width of the network of the fits.
    """

    def __init__(self, told: int, hidden: int) -> None:
        super().__init__()
        self.share = nn.Linear(told + hidden, 1)
        with torch.no_grad():  # begin everywhere alike, an eighth of the way
            self.share.weight.zero_()
            self.share.bias.fill_(-2.0)

    def forward(self, fit: Fit, told: Tensor, rows: Tensor, moved: Tensor) -> tuple[Fit, Tensor]:
        """The fit (M points, the rows (M,)) as seen from where its points are now, and how far all points (N, 3) are
        from where they were, from what is told (M, T) and how far they were before."""
        share = self.share(torch.cat([told, fit.seen], dim=-1)).squeeze(-1).to(fit.centre.dtype).sigmoid()
        height = share * fit.centre.detach()
        offset = torch.zeros_like(moved).index_copy(0, rows, height.unsqueeze(-1) * fit.normal.detach())
        return replace(fit, centre=fit.centre - height), moved + offset


@dataclass(frozen=True)
class Plan:
    """What depends on the geometry alone."""

    guess: Any  # the guess's own plan
    fitted: list[Neighbourhoods]  # what each fit fits; their rows ascend, and hold those that the next one looks at
    votes: Search | None  # for planes, of all points
    wide: WidePlanes | None  # of all points
    near: WidePlanes | None = None  # of all points
