"""Surfaces put together: rectangles, moved copies, several at once. They are met by rays; each gives exact normals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Casts(Protocol):
    """What rays can meet."""

    def cast(self, origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...


@dataclass(frozen=True, eq=False)
class Rectangle:
    """A flat patch.

    Args:
        centre: (3,).
        axes: (3, 3) orthonormal rows: along its two sides, then its normal.
        half: half lengths of the sides.
    """

    centre: np.ndarray
    axes: np.ndarray
    half: tuple[float, float]

    def cast(self, origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distances (M,), inf where a ray passes by, and the normal (M, 3)."""
        start, along = (origin - self.centre) @ self.axes.T, direction @ self.axes.T
        with np.errstate(divide="ignore", invalid="ignore"):
            t = -start[:, 2] / along[:, 2]
            u, v = np.abs(start[:, :2] + t[:, None] * along[:, :2]).T
        met = (t > 0) & np.isfinite(t) & (u <= self.half[0]) & (v <= self.half[1])
        return np.where(met, t, np.inf), np.broadcast_to(self.axes[2], origin.shape).copy()


@dataclass(frozen=True, eq=False)
class Moved:
    """A surface, x -> scale R x + shift.

    Args:
        surface: what is moved.
        turn: R, (3, 3) orthogonal.
        shift: (3,).
        scale: > 0.
    """

    surface: Casts
    turn: np.ndarray
    shift: np.ndarray
    scale: float = 1.0

    def cast(self, origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As the surface's, in the moved frame."""
        distance, normal = self.surface.cast((origin - self.shift) @ self.turn / self.scale, direction @ self.turn)
        return distance * self.scale, normal @ self.turn.T


@dataclass(frozen=True, eq=False)
class Together:
    """Several surfaces; the nearest is met."""

    surfaces: Sequence[Casts]

    def cast(self, origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As the nearest surface's."""
        distance, normal = np.full(len(origin), np.inf), np.zeros((len(origin), 3))
        for surface in self.surfaces:
            t, n = surface.cast(origin, direction)
            nearer = t < distance
            distance[nearer], normal[nearer] = t[nearer], n[nearer]
        return distance, normal
