"""Implicit surfaces: a field f maps points (N, 3) to values (N,), negative inside; its zeros are the surface.

Every field is 1-Lipschitz, |f(x) - f(y)| <= |x - y|: no surface is nearer to x than |f(x)|, which is what makes
sampling quick and complete. |f| may be smaller than the distance. The normal is the gradient of f, by torch's autograd.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, reduce

import torch
from torch import Tensor

Field = Callable[[Tensor], Tensor]
"""(N, 3) -> (N,)."""

TINY = 1e-12


@dataclass(frozen=True)
class Sphere:
    """|x| - r."""

    radius: float

    def __call__(self, p: Tensor) -> Tensor:
        return length(p) - self.radius


@dataclass(frozen=True)
class Ellipsoid:
    """(|x / r| - 1) min r, radii r along the axes."""

    radii: tuple[float, float, float]

    def __call__(self, p: Tensor) -> Tensor:
        return (length(p / p.new_tensor(self.radii)) - 1) * min(self.radii)


@dataclass(frozen=True)
class Box:
    """max_a (|x_a| - h_a), half sizes h; its corners are sharp."""

    half: tuple[float, float, float]

    def __call__(self, p: Tensor) -> Tensor:
        return reduce(torch.maximum, (p.abs() - p.new_tensor(self.half)).unbind(1))


@dataclass(frozen=True)
class HalfSpace:
    """n . x - c, unit n: solid below the plane."""

    normal: tuple[float, float, float]
    offset: float = 0.0

    def __call__(self, p: Tensor) -> Tensor:
        return p @ p.new_tensor(self.normal) - self.offset


@dataclass(frozen=True)
class Cylinder:
    """max(rho - r, |z| - h): a solid cylinder about the third axis."""

    radius: float
    half: float

    def __call__(self, p: Tensor) -> Tensor:
        return torch.maximum(length(p[:, :2]) - self.radius, p[:, 2].abs() - self.half)


@dataclass(frozen=True)
class Cone:
    """A frustum about the third axis, radius `low` at z = -half and `high` at z = half."""

    low: float
    high: float
    half: float

    def __call__(self, p: Tensor) -> Tensor:
        slope = (self.high - self.low) / (2 * self.half)
        side = length(p[:, :2]) - self.low - slope * (p[:, 2] + self.half)
        return torch.maximum(side / (1 + slope**2) ** 0.5, p[:, 2].abs() - self.half)


@dataclass(frozen=True)
class Torus:
    """|(rho - R, z)| - r."""

    major: float
    minor: float

    def __call__(self, p: Tensor) -> Tensor:
        return length(torch.stack([length(p[:, :2]) - self.major, p[:, 2]], 1)) - self.minor


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Smooth union of M tapered capsules, k log-sum-exp of their distances; k = 0 is the sharp union.

    Args:
        start, end: (M, 3) ends of the bones.
        radii: (M, 2) radii at the ends; their difference is at most the bone's length.
        smoothness: k, a length.
    """

    start: Tensor
    end: Tensor
    radii: Tensor
    smoothness: float

    def __call__(self, p: Tensor) -> Tensor:
        start, end, radii = (part.to(p) for part in (self.start, self.end, self.radii))
        axis = end - start
        size = axis.square().sum(1)
        from_start = (start.square().sum(1) + columns_squared(p)[:, None]).T - 2 * (start @ p.T)
        along = axis @ p.T - (axis * start).sum(1)[:, None]
        t = (along / size[:, None]).clamp(0, 1)
        squared = from_start - t * (2 * along - t * size[:, None])
        grown = radii[:, 1:] - radii[:, :1]
        steepness = (1 + grown.square() / size[:, None]).sqrt()
        each = (squared.clamp(min=TINY**2).sqrt() - radii[:, :1] - t * grown) / steepness
        if self.smoothness == 0:
            return each.amin(0)
        return -self.smoothness * torch.logsumexp(each / -self.smoothness, 0)


@dataclass(frozen=True, eq=False)
class Polygon:
    """Signed distance in the plane to a simple polygon, counter-clockwise.

    The sign is that of the nearest edge's side; where a corner is nearest, points are outside of a convex one and
    inside of a reflex one.

    Args:
        corners: (M, 2) float64.
        closed: the last corner joins the first; an open chain bounds what lies to its left.
    """

    corners: Tensor
    closed: bool = True

    def __call__(self, p: Tensor) -> Tensor:
        value, nearest = p.new_zeros(len(p)), p.new_full((len(p),), torch.inf)
        for corner, along, size, sign in zip(*(part.to(p) for part in self._edges), strict=True):
            off = p - corner
            t = off @ along
            side = off[:, 0] * along[1] - off[:, 1] * along[0]
            beyond = t - t.clamp(0, size)
            squared = side.detach().square() + beyond.detach().square()
            corner_distance = torch.where(t < 0, sign[0], sign[1]) * length(torch.stack([side, beyond], 1))
            closer = squared < nearest
            value = torch.where(closer, torch.where(beyond == 0, side, corner_distance), value)
            nearest = torch.where(closer, squared, nearest)
        return value

    @cached_property
    def _edges(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Per edge: its first corner (2,), unit direction (2,), length (), and +1 or -1 for its two ends, convex or
        reflex (2,)."""
        edge = self.corners.roll(-1, 0) - self.corners
        size = edge.norm(dim=1)
        along = edge / size[:, None]
        before = along.roll(1, 0)
        convex = torch.where(before[:, 0] * along[:, 1] >= before[:, 1] * along[:, 0], 1.0, -1.0).to(edge)
        edges = (self.corners, along, size, torch.stack([convex, convex.roll(-1)], 1))
        if self.closed:
            return edges
        return edges[0][:-1], edges[1][:-1], edges[2][:-1], edges[3][:-1]


@dataclass(frozen=True)
class Prism:
    """A polygon in the first two axes, extruded over |z| <= half."""

    polygon: Polygon
    half: float

    def __call__(self, p: Tensor) -> Tensor:
        return torch.maximum(self.polygon(p[:, :2]), p[:, 2].abs() - self.half)


@dataclass(frozen=True)
class Revolved:
    """A chain of corners in (rho >= 0, z), turned about the third axis; it starts and ends on the axis."""

    profile: Polygon

    def __call__(self, p: Tensor) -> Tensor:
        return self.profile(torch.stack([length(p[:, :2]), p[:, 2]], 1))


@dataclass(frozen=True)
class Gyroid:
    """(sin wx cos wy + sin wy cos wz + sin wz cos wx) / (sqrt 3 w): a triply periodic surface."""

    frequency: float

    def __call__(self, p: Tensor) -> Tensor:
        sin, cos = torch.sin(self.frequency * p), torch.cos(self.frequency * p)
        return (sin * cos.roll(-1, 1)).sum(1) / (3**0.5 * self.frequency)


def length(p: Tensor) -> Tensor:
    """Euclidean length of the rows, (N, D) -> (N,), with a finite gradient at zero."""
    return (columns_squared(p) + TINY**2).sqrt()


def columns_squared(p: Tensor) -> Tensor:
    """Squared length of the rows, (N, D) -> (N,); column by column, several times faster than a sum over rows of two or
    three."""
    return reduce(torch.add, (column * column for column in p.unbind(1)))
