"""Points uniform by area on the zeros of a field, with exact normals.

Lines parallel to a direction d, spread evenly, meet an area element dA with normal n in proportion to |n . d|. Lines
along the three axes together meet it in proportion to s = |n_1| + |n_2| + |n_3|, so a crossing that is accepted with
probability 1 / s is uniform by area, on creases and thin sheets, too (the Cauchy-Crofton formula; Santalo, *Integral
Geometry and Geometric Probability*, 1976, chapter 14). Projecting the triangles of a marching-cubes mesh would leave
gaps beside creases and pile points up on them.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from tensorframes.data.synthetic.shapes.fields import Field
from tensorframes.data.synthetic.shapes.rays import FreeSpace, cast
from tensorframes.data.synthetic.shapes.roots import SMALLEST_GRADIENT, TOLERANCE, evaluate, refined, value_and_gradient

HALF = 1.28
"""Shapes lie within |x|, |y|, |z| <= HALF; parts outside are cut off."""

COARSEST = 16
LINES = 1 << 15
MOST_BLOCKS = 1000
HALVINGS = 3
ROUNDING = 1e-5
CUBES = 6000
FINEST = 2 * HALF / 64
"""The grid by which rays skip free space: number of cubes that may contain the surface, and their smallest side."""


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
        samples, total = [(np.zeros((0, 3)), np.zeros((0, 3)))], 0
        for _ in range(MOST_BLOCKS if len(centres) else 0):
            samples.append(self._crossings(centres, side, rng))
            total += len(samples[-1][0])
            if total >= count:
                pos, normal = (np.concatenate(part) for part in zip(*samples, strict=True))
                return pos[:count], normal[:count]
        raise ValueError(f"expected a surface with room for {count} points, got {total} in {len(centres)} cells")

    def cast(self, origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distances (M,) float64 at which rays from (M, 3) along unit (M, 3) first meet the surface, inf where they do
        not, and its unit normals (M, 3) there."""
        return cast(self.field, self.region, self._space, origin, direction)

    @cached_property
    def _space(self) -> FreeSpace:
        centres, side = surface_cells(self.field, CUBES, FINEST)
        cells = ((centres.numpy() + HALF) / side).astype(np.int64)
        occupied = np.zeros((round(2 * HALF / side),) * 3, dtype=bool)
        occupied[tuple(cells.T)] = True
        return FreeSpace.around(np.full(3, -HALF), side, occupied)

    def _crossings(self, centres: Tensor, side: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Accepted intersections (K, 3) of LINES lines with the surface, and their normals (K, 3).

        Each line passes through a random cell along a random axis.
        """
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


def surface_cells(field: Field, count: int, finest: float = 0.0) -> tuple[Tensor, float]:
    """Centres (M, 3) float64 and side of the cubes that may hold a zero: cut into eight until there are `count` of
    them or their side is `finest` or less."""
    axis = (torch.arange(COARSEST) + 0.5) / COARSEST * 2 * HALF - HALF
    centres, side = torch.cartesian_prod(axis, axis, axis), 2 * HALF / COARSEST
    corners = torch.cartesian_prod(*[torch.tensor([-0.25, 0.25])] * 3)
    while True:
        centres = centres[evaluate(field, centres).abs() <= side * 3**0.5 / 2 + ROUNDING]
        if len(centres) >= count or len(centres) == 0 or side <= finest:
            return centres.double(), side
        centres, side = (centres[:, None] + corners * side).reshape(-1, 3), side / 2


def line_roots(field: Field, start: Tensor, direction: Tensor, length: float) -> Tensor:
    """Zeros (K, 3) on segments from `start` (M, 3) along unit `direction` (M, 3), each once.

    An interval of length l has no zero where |f(middle)| > l / 2; the others are halved HALVINGS times (in float32).
    Then each interval whose ends differ in sign holds one, which is refined.
    """
    for _ in range(HALVINGS):
        near = evaluate(field, (start + direction * (length / 2)).float()).abs() <= length / 2 + ROUNDING
        start, direction, length = start[near], direction[near], length / 2
        start, direction = torch.cat([start, start + direction * length]), torch.cat([direction, direction])
    low, high = evaluate(field, start), evaluate(field, start + direction * length)
    crossing = (low < 0) != (high < 0)
    start, direction, low, high = start[crossing], direction[crossing], low[crossing], high[crossing]
    zero = refined(field, start, direction, torch.zeros_like(low), torch.full_like(low, length), low, high)
    return start + direction * zero[:, None]
