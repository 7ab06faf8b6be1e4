"""Scenes for ray casting: rectangles, transformed copies and unions of surfaces, with exact normals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Casts(Protocol):
    """Geometry that rays can hit."""

    def cast(self, origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distances (M,) along rays from (M, 3) in unit directions (M, 3), inf without a hit, and normals (M, 3)."""


class Surface(Casts, Protocol):
    """A surface that can be sampled and ray cast."""

    def sample(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """``count`` points (count, 3), uniform by area, and their unit normals (count, 3)."""


@dataclass(frozen=True, eq=False)
class Rectangle:
    """A rectangle.

    Args:
        centre: (3,).
        axes: (3, 3) orthonormal rows: along its two sides, then its normal.
        half: half lengths of the sides.
    """

    centre: np.ndarray
    axes: np.ndarray
    half: tuple[float, float]

    def cast(self, origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distances (M,), inf without a hit, and normals (M, 3)."""
        start, along = (origin - self.centre) @ self.axes.T, direction @ self.axes.T
        with np.errstate(divide="ignore", invalid="ignore"):
            t = -start[:, 2] / along[:, 2]
            u, v = np.abs(start[:, :2] + t[:, None] * along[:, :2]).T
        met = (t > 0) & np.isfinite(t) & (u <= self.half[0]) & (v <= self.half[1])
        return np.where(met, t, np.inf), np.broadcast_to(self.axes[2], origin.shape).copy()


@dataclass(frozen=True, eq=False)
class Moved:
    """A transformed surface, x -> scale R x + shift.

    Args:
        surface: the original.
        turn: R, (3, 3) orthogonal.
        shift: (3,).
        scale: > 0.
    """

    surface: Casts
    turn: np.ndarray
    shift: np.ndarray
    scale: float = 1.0

    def cast(self, origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As of the original, in the transformed frame."""
        distance, normal = self.surface.cast((origin - self.shift) @ self.turn / self.scale, direction @ self.turn)
        return distance * self.scale, normal @ self.turn.T


@dataclass(frozen=True, eq=False)
class Together:
    """The union of several surfaces."""

    surfaces: Sequence[Casts]

    def cast(self, origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As of the surface that is hit first."""
        distance, normal = np.full(len(origin), np.inf), np.zeros((len(origin), 3))
        for surface in self.surfaces:
            t, n = surface.cast(origin, direction)
            nearer = t < distance
            distance[nearer], normal[nearer] = t[nearer], n[nearer]
        return distance, normal
