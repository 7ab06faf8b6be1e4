"""Implicit surfaces: a field f maps points (N, 3) to values (N,), negative inside; its zeros are the surface.

Every field is 1-Lipschitz, |f(x) - f(y)| <= |x - y|: no surface is nearer to x than |f(x)|, which is what makes sampling
quick and complete. |f| may be smaller than the distance. The normal is the gradient of f, by torch's autograd.
"""

from collections.abc import Callable
from dataclasses import dataclass

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
        return (p.abs() - p.new_tensor(self.half)).amax(1)


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
        each = torch.stack([self._bone(p, bone) for bone in range(len(self.start))])
        if self.smoothness == 0:
            return each.amin(0)
        return -self.smoothness * torch.logsumexp(-each / self.smoothness, 0)

    def _bone(self, p: Tensor, bone: int) -> Tensor:
        a, b, radii = (part[bone].to(p) for part in (self.start, self.end, self.radii))
        axis = b - a
        t = (((p - a) @ axis) / axis.dot(axis)).clamp(0, 1)
        slope = (radii[1] - radii[0]).abs() / axis.norm()
        return (length(p - a - t[:, None] * axis) - (radii[0] + t * (radii[1] - radii[0]))) / (1 + slope**2) ** 0.5


@dataclass(frozen=True, eq=False)
class Polygon:
    """Signed distance in the plane to a simple polygon (M, 2): min over the edges, the sign by counting crossings."""

    corners: Tensor

    def __call__(self, p: Tensor) -> Tensor:
        corners = self.corners.to(p)
        squared, inside = p.new_full((len(p),), torch.inf), torch.zeros(len(p), dtype=torch.bool)
        for a, b in zip(corners, corners.roll(-1, 0), strict=True):
            edge, off = b - a, p - a
            t = ((off @ edge) / edge.dot(edge)).clamp(0, 1)
            squared = torch.minimum(squared, (off - t[:, None] * edge).square().sum(1))
            above = a[1] > p[:, 1]
            crossing = above != (b[1] > p[:, 1])
            left = off[:, 0] * edge[1] < off[:, 1] * edge[0]
            inside ^= crossing & (left == (b[1] > a[1]))
        distance = (squared + TINY**2).sqrt()
        return torch.where(inside, -distance, distance)


@dataclass(frozen=True)
class Prism:
    """A polygon in the first two axes, extruded over |z| <= half."""

    polygon: Polygon
    half: float

    def __call__(self, p: Tensor) -> Tensor:
        return torch.maximum(self.polygon(p[:, :2]), p[:, 2].abs() - self.half)


@dataclass(frozen=True)
class Revolved:
    """A polygon in (rho, z), turned about the third axis; symmetric in its first coordinate."""

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
    return (p.square().sum(1) + TINY**2).sqrt()
