"""Points uniform by area on the zeros of a field, with exact normals.

Lines parallel to a direction d, spread evenly, meet an area element dA with normal n in proportion to |n . d|. Lines along
the three axes together meet it in proportion to s = |n_1| + |n_2| + |n_3|, so a crossing that is kept with probability
1 / s is uniform by area, on creases and thin sheets, too (the Cauchy-Crofton formula; Santalo, *Integral Geometry and
Geometric Probability*, 1976, chapter 14). Projecting the triangles of a marching-cubes mesh would leave gaps beside creases
and pile points up on them.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tensorframes.clouds.shapes.fields import Field

HALF = 1.28
"""Shapes lie within |x|, |y|, |z| <= HALF; what reaches out is cut off."""

COARSEST = 16
HALVINGS = 3
BLOCK = 1 << 15
ROUNDS = 60
TOLERANCE = 1e-7
SMALLEST_GRADIENT = 1e-3


@dataclass(frozen=True)
class Implicit:
    """The zeros of a field where `region`, if any, is negative: an open surface."""

    field: Field
    region: Field | None = None

    def sample(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """`count` points (count, 3) uniform by area and their unit normals (count, 3), float64.

        Raises:
            ValueError: the surface is empty.
        """
        centres, side = surface_cells(self.field, count)
        found: list[tuple[np.ndarray, np.ndarray]] = []
        total = 0
        for _ in range(ROUNDS):
            found.append(self._crossings(centres, side, rng))
            total += len(found[-1][0])
            if total >= count:
                break
        else:
            raise ValueError(f"expected a surface with room for {count} points, got {total} in {ROUNDS} rounds")
        chosen = rng.permutation(total)[:count]
        return np.concatenate([pos for pos, _ in found])[chosen], np.concatenate([n for _, n in found])[chosen]

    def _crossings(self, centres: Tensor, side: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """What a line through every cell along each axis meets."""
        found = []
        for axis in range(3):
            start = centres + torch.from_numpy(rng.uniform(-0.5, 0.5, (len(centres), 3)) * side)
            start[:, axis] = centres[:, axis] - side / 2
            pos = line_roots(self.field, start, axis, side)
            if self.region is not None and len(pos):
                pos = pos[evaluate(self.region, pos) < 0]
            value, gradient = value_and_gradient(self.field, pos)
            size = gradient.norm(dim=1)
            good = (value.abs() < TOLERANCE) & (size > SMALLEST_GRADIENT)
            normal = (gradient[good] / size[good, None]).numpy()
            even = rng.random(len(normal)) < 1 / np.abs(normal).sum(1)
            found.append((pos[good].numpy()[even], normal[even]))
        return np.concatenate([pos for pos, _ in found]), np.concatenate([normal for _, normal in found])


def surface_cells(field: Field, count: int) -> tuple[Tensor, float]:
    """Centres (M, 3) float64 and side of the cubes that may hold a zero: cut into eight until there are `count` of them."""
    axis = (torch.arange(COARSEST, dtype=torch.float64) + 0.5) / COARSEST * 2 * HALF - HALF
    centres, side = torch.cartesian_prod(axis, axis, axis), 2 * HALF / COARSEST
    corners = torch.cartesian_prod(*[torch.tensor([-0.25, 0.25], dtype=torch.float64)] * 3)
    while True:
        centres = centres[evaluate(field, centres).abs() <= side * 3**0.5 / 2]
        if len(centres) >= count or len(centres) == 0:
            return centres, side
        centres, side = (centres[:, None] + corners * side).reshape(-1, 3), side / 2


def line_roots(field: Field, start: Tensor, axis: int, length: float) -> Tensor:
    """Zeros (K, 3) on the segments from `start` (M, 3) along an axis, each found once.

    An interval of length l has no zero where |f(middle)| > l / 2; the others are halved HALVINGS times. Then each interval
    whose ends differ in sign holds one, refined by the Illinois method.
    """
    direction = torch.eye(3, dtype=start.dtype)[axis]
    for _ in range(HALVINGS):
        start = start[evaluate(field, start + direction * (length / 2)).abs() <= length / 2]
        length /= 2
        start = torch.cat([start, start + direction * length])
    low, high = evaluate(field, start), evaluate(field, start + direction * length)
    crossing = (low < 0) != (high < 0)
    start, low, high = start[crossing], low[crossing], high[crossing]
    a, b = torch.zeros_like(low), torch.full_like(low, length)
    for _ in range(8):
        middle = (a * high - b * low) / (high - low)
        value = evaluate(field, start + direction * middle[:, None])
        replaces_a = (value < 0) == (low < 0)
        a, b = torch.where(replaces_a, middle, a), torch.where(replaces_a, b, middle)
        low, high = torch.where(replaces_a, value, low / 2), torch.where(replaces_a, high / 2, value)
    return start + direction * torch.where(low.abs() < high.abs(), a, b)[:, None]


def evaluate(field: Field, pos: Tensor) -> Tensor:
    """f at (N, 3) points, in blocks that stay in the processor's cache."""
    with torch.no_grad():
        return torch.cat([field(block) for block in pos.split(BLOCK)]) if len(pos) else pos.new_zeros(0)


def value_and_gradient(field: Field, pos: Tensor) -> tuple[Tensor, Tensor]:
    """f (N,) and its gradient (N, 3)."""
    values, gradients = [pos.new_zeros(0)], [pos.new_zeros(0, 3)]
    for block in pos.split(BLOCK) if len(pos) else ():
        block = block.clone().requires_grad_()
        value = field(block)
        gradients.append(torch.autograd.grad(value.sum(), block)[0])
        values.append(value.detach())
    return torch.cat(values), torch.cat(gradients)
