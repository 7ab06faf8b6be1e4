"""Points uniform by area on the zeros of a field, with exact normals.

Lines parallel to a direction d, spread evenly, meet an area element dA with normal n in proportion to |n . d|. Lines
along the three axes together meet it in proportion to s = |n_1| + |n_2| + |n_3|, so a crossing that is kept with
probability 1 / s is uniform by area, on creases and thin sheets, too (the Cauchy-Crofton formula; Santalo, *Integral
Geometry and Geometric Probability*, 1976, chapter 14). Projecting the triangles of a marching-cubes mesh would leave
gaps beside creases and pile points up on them.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tensorframes.clouds.shapes.fields import Field

HALF = 1.28
"""Shapes lie within |x|, |y|, |z| <= HALF; what reaches out is cut off."""

COARSEST = 16
LINES = 1 << 15
MOST_BLOCKS = 1000
HALVINGS = 3
SECANTS = 8
BLOCK = 1 << 15
ROUNDING = 1e-5
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
            ValueError: the surface is empty, or nearly.
        """
        centres, side = surface_cells(self.field, count)
        found, total = [(np.zeros((0, 3)), np.zeros((0, 3)))], 0
        for _ in range(MOST_BLOCKS if len(centres) else 0):
            found.append(self._crossings(centres, side, rng))
            total += len(found[-1][0])
            if total >= count:
                pos, normal = (np.concatenate(part) for part in zip(*found, strict=True))
                return pos[:count], normal[:count]
        raise ValueError(f"expected a surface with room for {count} points, got {total} in {len(centres)} cells")

    def _crossings(self, centres: Tensor, side: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """What LINES lines meet, each through a random cell along a random axis."""
        direction = torch.eye(3, dtype=centres.dtype)[torch.from_numpy(rng.integers(3, size=LINES))]
        start = centres[torch.from_numpy(rng.integers(len(centres), size=LINES))]
        within = torch.from_numpy(rng.random((LINES, 3))) * (1 - direction)
        pos = line_roots(self.field, start + (within - 0.5) * side, direction, side)
        if self.region is not None:
            pos = pos[evaluate(self.region, pos) < 0]
        value, gradient = value_and_gradient(self.field, pos)
        size = gradient.norm(dim=1)
        good = (value.abs() < TOLERANCE) & (size > SMALLEST_GRADIENT)
        normal = (gradient[good] / size[good, None]).numpy()
        even = rng.random(len(normal)) < 1 / np.abs(normal).sum(1)
        return pos[good].numpy()[even], normal[even]


def surface_cells(field: Field, count: int) -> tuple[Tensor, float]:
    """Centres (M, 3) float64 and side of the cubes that may hold a zero: cut into eight until there are `count` of
    them."""
    axis = (torch.arange(COARSEST) + 0.5) / COARSEST * 2 * HALF - HALF
    centres, side = torch.cartesian_prod(axis, axis, axis), 2 * HALF / COARSEST
    corners = torch.cartesian_prod(*[torch.tensor([-0.25, 0.25])] * 3)
    while True:
        centres = centres[evaluate(field, centres).abs() <= side * 3**0.5 / 2 + ROUNDING]
        if len(centres) >= count or len(centres) == 0:
            return centres.double(), side
        centres, side = (centres[:, None] + corners * side).reshape(-1, 3), side / 2


def line_roots(field: Field, start: Tensor, direction: Tensor, length: float) -> Tensor:
    """Zeros (K, 3) on segments from `start` (M, 3) along unit `direction` (M, 3), each found once.

    An interval of length l has no zero where |f(middle)| > l / 2; the others are halved HALVINGS times (in float32).
    Then each interval whose ends differ in sign holds one, refined by the Illinois method: a secant, the value of an
    end that stays put halved.
    """
    for _ in range(HALVINGS):
        near = evaluate(field, (start + direction * (length / 2)).float()).abs() <= length / 2 + ROUNDING
        start, direction, length = start[near], direction[near], length / 2
        start, direction = torch.cat([start, start + direction * length]), torch.cat([direction, direction])
    low, high = evaluate(field, start), evaluate(field, start + direction * length)
    crossing = (low < 0) != (high < 0)
    start, direction, low, high = start[crossing], direction[crossing], low[crossing], high[crossing]
    a, b = torch.zeros_like(low), torch.full_like(low, length)
    for _ in range(SECANTS):
        middle = (a * high - b * low) / (high - low)
        value = evaluate(field, start + direction * middle[:, None])
        same = (value < 0) == (low < 0)
        # The end that moves is called b from here on; a is the other one, on the other side of the zero.
        a, low = torch.where(same, b, a), torch.where(same, high, low)
        b, high, low = middle, value, torch.where(same, low, low / 2)
    return start + direction * b[:, None]


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
