"""Helpers of samplings: camera frames, extents, intersections of rays with a surface."""

from typing import Protocol

import numpy as np

from tensorframes.data.synthetic.shapes.scenes import Casts, Surface
from tensorframes.data.transforms.augmentation import random_orthogonal

PROBES = 2500
"""Rays that estimate which part of a view the surface covers."""


Sample = tuple[np.ndarray, np.ndarray]
"""Positions (N, 3) and unit normals (N, 3), float64."""


class Sampling(Protocol):
    """How the points of a cloud are chosen from a surface."""

    def sample(self, surface: Surface, count: int, rng: np.random.Generator) -> Sample:
        """About ``count`` points and their normals."""


def random_axes(rng: np.random.Generator) -> np.ndarray:
    """A random rotation (3, 3)."""
    axes = random_orthogonal(rng)
    return axes * np.sign(np.linalg.det(axes))


def camera_axes(direction: np.ndarray, roll: float = 0.0) -> np.ndarray:
    """Rotation (3, 3) whose rows are right, down and the unit `direction` (3,), rotated by `roll` about it.

    Up is the third axis, or the second one if the direction is nearly vertical.
    """
    up = np.array([0.0, 0.0, 1.0]) if abs(direction[2]) < 0.99 else np.array([0.0, 1.0, 0.0])
    right = np.cross(direction, up)
    right /= np.linalg.norm(right)
    down = np.cross(direction, right)
    cos, sin = np.cos(roll), np.sin(roll)
    return np.stack([cos * right + sin * down, cos * down - sin * right, direction])


def extent(surface: Surface, rng: np.random.Generator, points: int = 1000) -> tuple[np.ndarray, float]:
    """Centre (3,) of a surface's bounding box and the radius of a ball about it that contains the surface."""
    pos = surface.sample(points, rng)[0]
    centre = (pos.min(0) + pos.max(0)) / 2
    return centre, 1.02 * float(np.linalg.norm(pos - centre, axis=1).max())


def first_hits(surface: Casts, origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ascending rows of the rays (M, 3) that hit the surface, with their distances and normals."""
    distance, normal = surface.cast(np.broadcast_to(origin, direction.shape), direction)
    rows = np.flatnonzero(np.isfinite(distance))
    return rows, distance[rows], normal[rows]


def scaled_heights_normals(normal: np.ndarray, factor: float) -> np.ndarray:
    """Unit normals (N, 3) of a surface whose heights, the third coordinates, are multiplied by a factor."""
    scaled = normal / np.array([1, 1, factor])
    unit: np.ndarray = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    return unit


def check_count(count: int, least: int = 1) -> None:
    """Checks the number of points.

    Raises:
        ValueError: there are fewer than `least`.
    """
    if count < least:
        raise ValueError(f"expected a surface that gives at least {least} points, got {count}")
