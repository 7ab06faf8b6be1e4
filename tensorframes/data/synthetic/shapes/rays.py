"""First intersections of rays with a surface: sphere tracing of fields, with free space skipped by a grid.

A field is 1-Lipschitz, so a ray at x may advance by |f(x)| without passing a zero (Hart, *Sphere tracing*, 1996). Since
|f| may be much smaller than the distance, a grid of cubes gives a second bound, that of the nearest cube that may hold
a zero. A change of sign between two steps brackets the hit, which is then refined in float64.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tensorframes.data.synthetic.shapes.fields import Field
from tensorframes.data.synthetic.shapes.roots import (
    SMALLEST_GRADIENT,
    TOLERANCE,
    bracketed,
    evaluate,
    value_and_gradient,
)

STEP, LONGEST = 2e-4, 4e-3
"""Shortest steps of a ray, at first and after many of them in a row: what it cuts off a surface within less than this
length may be missed."""

GROWTH = 1.03
MOST_STEPS = 2000
MOST_LAYERS = 16
"""How many parts of an open surface that are cut away a ray passes through."""


@dataclass(frozen=True, eq=False)
class FreeSpace:
    """A grid of cubes, each with a lower bound of the distance from any of its points to a surface.

    Args:
        low: (3,) float64 smallest corner of the grid.
        side: of a cube.
        bound: (A, B, C) float64 bounds, 0 where a cube may hold a part of the surface.
    """

    low: np.ndarray
    side: float
    bound: np.ndarray

    @classmethod
    def around(cls, low: np.ndarray, side: float, occupied: np.ndarray) -> "FreeSpace":
        """From which cubes (A, B, C) may hold a part of the surface: the distance between the centres of two cubes is
        at most their diagonal longer than that between two of their points."""
        from scipy.ndimage import distance_transform_edt

        if not occupied.any():
            return cls(low, side, np.full(occupied.shape, side * sum(occupied.shape)))
        return cls(low, side, np.maximum(distance_transform_edt(~occupied) - 3**0.5, 0.0) * side)

    @property
    def high(self) -> np.ndarray:
        """(3,) largest corner."""
        return self.low + self.side * np.array(self.bound.shape)

    def cells(self, pos: np.ndarray) -> np.ndarray:
        """(M, 3) int64 cubes of (M, 3) points; points outside are in the cube nearest to them."""
        return np.clip(((pos - self.low) / self.side).astype(np.int64), 0, np.array(self.bound.shape) - 1)

    def crossed(self, origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distances (M,) at which rays enter, 0 for those that start inside, and leave the grid; a ray that passes it
        by enters after it leaves."""
        return slab(origin, direction, self.low, self.high)


def slab(origin: np.ndarray, direction: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances (M,), at least 0, at which rays enter and leave boxes from `low` to `high` ((3,) or (M, 3))."""
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (low - origin) / direction, (high - origin) / direction
    # A ray along a face of the box is 0 / 0 away from it: it is taken to be inside.
    near = np.nan_to_num(np.minimum(first, second), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    far = np.nan_to_num(np.maximum(first, second), nan=np.inf, posinf=np.inf, neginf=-np.inf)
    return np.maximum(near.max(1), 0.0), far.min(1)


def cast(
    field: Field, region: Field | None, space: FreeSpace, origin: np.ndarray, direction: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First hits of rays with the zeros of a field where `region`, if any, is negative.

    Args:
        field: 1-Lipschitz.
        region: the surface ends where it is 0; rays pass on where it is positive.
        space: where the field has no zeros; rays are followed within its grid.
        origin: (M, 3).
        direction: (M, 3) unit vectors.

    Returns:
        Distances (M,) float64, inf where nothing is hit, and unit normals (M, 3) float64, the field's gradient.
    """
    distance, normal = np.full(len(origin), np.inf), np.zeros((len(origin), 3))
    start, end = space.crossed(origin, direction)
    rows = np.flatnonzero(start < end)
    start, end = start[rows], end[rows]
    for _ in range(MOST_LAYERS):
        before, after = brackets(field, space, origin[rows], direction[rows], start, end)
        crossed = np.isfinite(after)
        rows, before, after, end = rows[crossed], before[crossed], after[crossed], end[crossed]
        if len(rows) == 0:
            break
        place = _tensors(origin[rows], direction[rows], before, after)
        hit = bracketed(field, place[0], place[1], place[2], place[3])
        pos = place[0] + place[1] * hit[:, None]
        inside = torch.ones(len(pos), dtype=torch.bool) if region is None else evaluate(region, pos) < 0
        value, gradient = value_and_gradient(field, pos)
        size = gradient.norm(dim=1)
        good = (inside & (value.abs() < TOLERANCE) & (size > SMALLEST_GRADIENT)).numpy()
        distance[rows[good]] = hit.numpy()[good]
        normal[rows[good]] = (gradient / size[:, None]).numpy()[good]
        through = ~inside.numpy()
        rows, start, end = rows[through], after[through], end[through]
    return distance, normal


def brackets(
    field: Field, space: FreeSpace, origin: np.ndarray, direction: np.ndarray, start: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The first step (M,), (M,) of each ray between `start` and `end` over which the field changes its sign; inf where
    none does."""
    before, after = np.full(len(origin), np.inf), np.full(len(origin), np.inf)
    rows, t, last = np.arange(len(origin)), start.copy(), start.copy()
    sign, least = np.zeros(len(origin)), np.full(len(origin), STEP)
    for _ in range(MOST_STEPS):
        if len(rows) == 0:
            break
        pos = origin[rows] + direction[rows] * t[:, None]
        step = space.bound[tuple(space.cells(pos).T)]
        near = np.flatnonzero(step < STEP)
        value = evaluate(field, torch.from_numpy(pos[near].astype(np.float32))).numpy()
        crossed = np.zeros(len(rows), dtype=bool)
        crossed[near] = np.sign(value) * sign[near] < 0
        before[rows[crossed]], after[rows[crossed]] = last[crossed], t[crossed]
        sign[near] = np.where(value == 0, sign[near], np.sign(value))
        short = np.abs(value) < least[near]
        step[near] = np.where(short, least[near], np.abs(value))
        # A ray that runs along a surface would take thousands of the shortest steps.
        least[near] = np.where(short, np.minimum(least[near] * GROWTH, LONGEST), STEP)
        last = t
        t = t + step
        go = ~crossed & (last < end)
        rows, t, last, sign, end, least = rows[go], t[go], last[go], sign[go], end[go], least[go]
    return before, after


def _tensors(*arrays: np.ndarray) -> list[Tensor]:
    return [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]
