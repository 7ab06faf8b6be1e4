"""Fields made of fields: sharp and smooth set operations, shells, placement, relief. All stay 1-Lipschitz."""

from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from tensorframes.data.synthetic.shapes.fields import Field


@dataclass(frozen=True)
class Union:
    """min f, or its smooth version -k log sum exp(-f / k) with k = smoothness > 0."""

    fields: tuple[Field, ...]
    smoothness: float = 0.0

    def __call__(self, p: Tensor) -> Tensor:
        values = [field(p) for field in self.fields]
        if self.smoothness == 0:
            return reduce(torch.minimum, values)
        return -self.smoothness * torch.logsumexp(torch.stack(values) / -self.smoothness, 0)


@dataclass(frozen=True)
class Intersection:
    """max f, or its smooth version k log sum exp(f / k)."""

    fields: tuple[Field, ...]
    smoothness: float = 0.0

    def __call__(self, p: Tensor) -> Tensor:
        return -Union(tuple(Complement(field) for field in self.fields), self.smoothness)(p)


@dataclass(frozen=True)
class Complement:
    """-f: inside and outside change places."""

    field: Field

    def __call__(self, p: Tensor) -> Tensor:
        return -self.field(p)


def difference(solid: Field, *holes: Field, smoothness: float = 0.0) -> Intersection:
    """The solid without the holes."""
    return Intersection((solid, *(Complement(hole) for hole in holes)), smoothness)


@dataclass(frozen=True)
class Offset:
    """f - d: grown by d, convex edges rounded where f is the distance."""

    field: Field
    distance: float

    def __call__(self, p: Tensor) -> Tensor:
        return self.field(p) - self.distance


@dataclass(frozen=True)
class Shell:
    """|f| - t: the layer about a surface, about 2 t thick, with two close sheets."""

    field: Field
    thickness: float

    def __call__(self, p: Tensor) -> Tensor:
        return self.field(p).abs() - self.thickness


@dataclass(frozen=True, eq=False)
class Placed:
    """s f(R (x - shift) / s): turned, moved and scaled.

    Args:
        field: what is placed.
        turn: R, (3, 3) orthogonal.
        shift: (3,).
        scale: s > 0.
    """

    field: Field
    turn: Tensor
    shift: Tensor
    scale: float = 1.0

    def __call__(self, p: Tensor) -> Tensor:
        return self.scale * self.field((p - self.shift.to(p)) @ self.turn.to(p).T / self.scale)


@dataclass(frozen=True)
class Repeated:
    """f in cells of a grid with these periods along the axes; infinite periods leave an axis alone.

    f must be symmetric under the reflections of its cell, else the field jumps between cells.
    """

    field: Field
    periods: tuple[float, float, float]

    def __call__(self, p: Tensor) -> Tensor:
        period = p.new_tensor(self.periods)
        cell = torch.where(period.isfinite(), period * torch.round(p / period), 0.0)
        return self.field(p - cell)


@dataclass(frozen=True)
class Twisted:
    """f after turning (x, y) by rate * z, for |(x, y)| <= reach."""

    field: Field
    rate: float
    reach: float = 1.5

    def __call__(self, p: Tensor) -> Tensor:
        cos, sin = torch.cos(self.rate * p[:, 2]), torch.sin(self.rate * p[:, 2])
        x, y, z = p.unbind(1)
        turned = torch.stack([cos * x + sin * y, cos * y - sin * x, z], 1)
        return self.field(turned) / (1 + abs(self.rate) * self.reach)


@dataclass(frozen=True, eq=False)
class Relief:
    """sum_m a_m g(w_m . x + phase_m): fine displacement of a surface.

    Args:
        waves: (M, 3) wave vectors w, in 1 / length.
        amplitudes: (M,) a, lengths.
        phases: (M,).
        profile: waves (g = sin), ridges (g = 1 - 2 |sin|, sharp valleys), grooves (a sine cut off at half its height).
    """

    waves: Tensor
    amplitudes: Tensor
    phases: Tensor
    profile: str = "waves"

    @property
    def slope(self) -> float:
        """An upper bound of its gradient."""
        steepest = 2.0 if self.profile in ("ridges", "grooves") else 1.0
        return steepest * float((self.amplitudes.abs() * self.waves.norm(dim=1)).sum())

    def __call__(self, p: Tensor) -> Tensor:
        g = torch.sin(p @ self.waves.to(p).T + self.phases.to(p))
        if self.profile == "ridges":
            g = 1 - 2 * g.abs()
        elif self.profile == "grooves":
            g = 2 * g.clamp(-0.5, 0.5)
        return g @ self.amplitudes.to(p)


@dataclass(frozen=True)
class Displaced:
    """(f + relief) / (1 + slope of the relief)."""

    field: Field
    relief: Relief

    def __call__(self, p: Tensor) -> Tensor:
        return (self.field(p) + self.relief(p)) / (1 + self.relief.slope)


@dataclass(frozen=True)
class Heights:
    """(z - relief(x, y)) / (1 + slope): the ground below a height field, for a relief without third components."""

    relief: Relief

    def __call__(self, p: Tensor) -> Tensor:
        return (p[:, 2] - self.relief(p)) / (1 + self.relief.slope)
