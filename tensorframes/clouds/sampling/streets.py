"""Scenes that scanners stand in: ground, walls, and copies of a surface on the ground. Lengths are metres."""

import numpy as np

from tensorframes.clouds.sampling.views import Surface, extent
from tensorframes.clouds.shapes.scenes import Casts, Moved, Rectangle, Together


def street(surface: Surface, size: float, rng: np.random.Generator) -> Together:
    """Flat or tilted ground, up to four walls, and two to eight copies of the surface, half their height to a fifth of
    the scene across, standing about. A scanner at the origin of (x, y) is free."""
    parts: list[Casts] = [ground(size, rng)]
    first = rng.uniform(0, 2 * np.pi)
    for side in range(int(rng.integers(0, 5))):
        parts.append(wall(first + side * np.pi / 2 + rng.normal(0, 0.03), size * rng.uniform(0.3, 0.9), size, rng))
    centre, radius = extent(surface, rng)
    for _ in range(int(rng.integers(2, 9))):
        scale = size * rng.uniform(0.05, 0.2) / radius
        angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 0.8) * size
        if away < 1.3 * scale * radius:
            continue
        turn = about_vertical(rng.uniform(0, 2 * np.pi))
        place = np.array([away * np.cos(angle), away * np.sin(angle), scale * radius * rng.uniform(0.4, 0.9)])
        parts.append(Moved(surface, turn, place - scale * turn @ centre, scale))
    return Together(parts)


def ground(size: float, rng: np.random.Generator) -> Rectangle:
    """A plane through the origin, tilted by up to three degrees."""
    slope = np.radians(3) * rng.uniform(-1, 1, 2)
    normal = np.array([slope[0], slope[1], 1.0])
    normal /= np.linalg.norm(normal)
    side = np.cross([0.0, 1.0, 0.0], normal)
    side /= np.linalg.norm(side)
    return Rectangle(np.zeros(3), np.stack([side, np.cross(normal, side), normal]), (size, size))


def wall(angle: float, away: float, size: float, rng: np.random.Generator) -> Rectangle:
    """A vertical wall across the direction `angle` at a distance, which faces the origin."""
    out = np.array([np.cos(angle), np.sin(angle), 0.0])
    half, height = size * rng.uniform(0.2, 1.0), size * rng.uniform(0.1, 0.4)
    axes = np.stack([np.array([-out[1], out[0], 0.0]), np.array([0.0, 0.0, 1.0]), -out])
    return Rectangle(away * out + np.array([0.0, 0.0, height - 0.02 * size]), axes, (half, height))


def about_vertical(angle: float) -> np.ndarray:
    """(3, 3) rotation about the third axis."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
