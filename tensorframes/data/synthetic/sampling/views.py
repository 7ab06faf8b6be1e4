"""Where sensors stand and what they see: frames, extents, rays that meet a surface."""

from typing import Protocol

import numpy as np

from tensorframes.data.synthetic.shapes.scenes import Casts
from tensorframes.data.transforms.augmentation import random_orthogonal

PROBES = 2500
"""Rays that find out which part of a view meets the surface."""


class Surface(Casts, Protocol):
    """Gives points uniform by area, (count, 3), and their unit normals (count, 3), and is met by rays."""

    def sample(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]: ...


Sample = tuple[np.ndarray, np.ndarray]
"""Positions (N, 3) and unit normals (N, 3), float64."""


class Sampling(Protocol):
    """A way in which the points of a cloud are chosen from a surface."""

    def sample(self, surface: Surface, count: int, rng: np.random.Generator) -> Sample: ...


def random_axes(rng: np.random.Generator) -> np.ndarray:
    """(3, 3) a random rotation."""
    axes = random_orthogonal(rng)
    return axes * np.sign(np.linalg.det(axes))


def looking(direction: np.ndarray, roll: float = 0.0) -> np.ndarray:
    """(3, 3) rotation whose rows are right, down and the unit `direction` (3,), turned by `roll` about it; up is the
    third axis of space where the direction leaves it free."""
    up = np.array([0.0, 0.0, 1.0]) if abs(direction[2]) < 0.99 else np.array([0.0, 1.0, 0.0])
    right = np.cross(direction, up)
    right /= np.linalg.norm(right)
    down = np.cross(direction, right)
    cos, sin = np.cos(roll), np.sin(roll)
    return np.stack([cos * right + sin * down, cos * down - sin * right, direction])


def extent(surface: Surface, rng: np.random.Generator, points: int = 1000) -> tuple[np.ndarray, float]:
    """Centre (3,) of a surface's bounding box and the radius of a ball about it that holds the surface."""
    pos = surface.sample(points, rng)[0]
    centre = (pos.min(0) + pos.max(0)) / 2
    return centre, 1.02 * float(np.linalg.norm(pos - centre, axis=1).max())


def met(surface: Casts, origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the rays (M, 3) that meet the surface, ascending, their distances and normals there."""
    distance, normal = surface.cast(np.broadcast_to(origin, direction.shape), direction)
    rows = np.flatnonzero(np.isfinite(distance))
    return rows, distance[rows], normal[rows]


def enough(found: int, least: int = 1) -> None:
    """
    Raises:
        ValueError: fewer points than `least` were found.
    """
    if found < least:
        raise ValueError(f"expected a surface that gives at least {least} points, got {found}")
