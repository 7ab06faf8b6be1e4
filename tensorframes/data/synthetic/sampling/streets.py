"""Scenes around scanners: ground, walls, and objects on the ground. Lengths are in metres."""

import numpy as np

from tensorframes.data.synthetic.sampling.views import Surface, extent
from tensorframes.data.synthetic.shapes import parts
from tensorframes.data.synthetic.shapes.fields import Box, Cylinder
from tensorframes.data.synthetic.shapes.sampling import HALF, Implicit
from tensorframes.data.synthetic.shapes.scenes import Casts, Moved, Rectangle, Together

OBJECTS = (4, 12)


def street(surface: Surface, size: float, rng: np.random.Generator) -> Together:
    """A scene of half extent `size`: flat or wavy ground, up to four walls, possibly a ceiling, copies of the surface,
    boxes and posts. At the origin the ground has height 0, and there are no objects."""
    floor = ground(size, rng)
    scene: list[Casts] = [floor, *walls(size, rng)]
    centre, radius = extent(surface, rng)
    box = Implicit(Box(tuple(rng.uniform(0.3, 0.6, 3).tolist())))
    post = Implicit(Cylinder(rng.uniform(0.03, 0.1), 1.0))
    for _ in range(int(rng.integers(*OBJECTS))):
        solid, middle, reach = ((surface, centre, radius), (box, np.zeros(3), 0.6), (post, np.zeros(3), 1.0))[
            int(rng.choice(3, p=(0.6, 0.2, 0.2)))
        ]
        scale = size * rng.uniform(0.03, 0.15) / reach
        angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.8) * size
        if away < 1.3 * scale * reach:
            continue
        x, y = away * np.cos(angle), away * np.sin(angle)
        place = np.array([x, y, height(floor, x, y) + scale * reach * rng.uniform(0.4, 0.9)])
        turn = about_vertical(rng.uniform(0, 2 * np.pi))
        scene.append(Moved(solid, turn, place - scale * turn @ middle, scale))
    return Together(scene)


def ground(size: float, rng: np.random.Generator) -> Casts:
    """A plane tilted by up to three degrees, or a terrain."""
    if rng.random() < 0.5:
        scale = size / HALF
        whole = Moved(Implicit(parts.terrain(rng)), np.eye(3), np.zeros(3), scale)
        return Moved(whole, np.eye(3), np.array([0.0, 0.0, -height(whole, 0.0, 0.0)]))
    slope = np.radians(3) * rng.uniform(-1, 1, 2)
    normal = np.array([slope[0], slope[1], 1.0])
    normal /= np.linalg.norm(normal)
    side = np.cross([0.0, 1.0, 0.0], normal)
    side /= np.linalg.norm(side)
    return Rectangle(np.zeros(3), np.stack([side, np.cross(normal, side), normal]), (size, size))


def height(floor: Casts, x: float, y: float) -> float:
    """Height of the ground at (x, y), 0 where there is none."""
    down = floor.cast(np.array([[x, y, 1e3]]), np.array([[0.0, 0.0, -1.0]]))[0][0]
    return float(1e3 - down) if np.isfinite(down) else 0.0


def walls(size: float, rng: np.random.Generator) -> list[Casts]:
    """Up to four vertical walls, about at right angles, that face the origin; in some cases a ceiling."""
    first, planes = rng.uniform(0, 2 * np.pi), list[Casts]()
    tall = size * rng.uniform(0.1, 0.5)
    for side in range(int(rng.integers(0, 5))):
        angle = first + side * np.pi / 2 + rng.normal(0, 0.03)
        out = np.array([np.cos(angle), np.sin(angle), 0.0])
        axes = np.stack([np.array([-out[1], out[0], 0.0]), np.array([0.0, 0.0, 1.0]), -out])
        away, half = size * rng.uniform(0.2, 0.9), size * rng.uniform(0.2, 1.0)
        planes.append(Rectangle(away * out, axes, (half, tall)))
    if rng.random() < 0.15:
        planes.append(Rectangle(np.array([0.0, 0.0, max(tall, 2.7)]), np.diag([1.0, -1.0, -1.0]), (size, size)))
    return planes


def about_vertical(angle: float) -> np.ndarray:
    """(3, 3) rotation about the third axis."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
