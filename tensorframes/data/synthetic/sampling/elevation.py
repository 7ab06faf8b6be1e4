"""Elevation grids: heights over a regular grid."""

from dataclasses import dataclass

import numpy as np

from tensorframes.data.synthetic.sampling.views import PROBES, Sample, Surface, enough, met, random_axes
from tensorframes.data.synthetic.shapes import parts
from tensorframes.data.synthetic.shapes.fields import Box
from tensorframes.data.synthetic.shapes.sampling import Implicit
from tensorframes.data.transforms.corruption.corrupted import rounded
from tensorframes.data.transforms.ranges import RandomParameters, Range

HOLE = 0.2
"""Largest half side of a block of missing cells, as a part of the extent."""


@dataclass(frozen=True)
class ElevationGrid(RandomParameters):
    """Points where vertical rays over a grid of cells meet the surface from above; above is a random direction, or that
    of a terrain which takes the surface's place.

    Lengths are told in spacings, the square root of a cell's area.

    Args:
        ratio: of the longer to the shorter side of a cell.
        jitter: standard deviation of a ray's place across, in sides of its cell.
        noise: standard deviation of heights, in spacings.
        rounding: step of heights, in spacings.
        relief: heights are multiplied by it, the normals follow.
        missing: part of the cells that are missing at random.
        holes: how many blocks of cells are missing.
        staggered: probability that every row of cells begins at a place of its own, as parallel scan lines do.
        terrain: probability of a terrain, with or without buildings, instead of the surface.
        turned: probability that the grid lies askew in space, not along the axes.
    """

    ratio: Range = (1.0, 3.0)
    jitter: Range = (0.0, 0.2)
    noise: Range = (0.0, 0.3)
    rounding: Range = (0.0, 0.5)
    relief: Range = (0.2, 1.0)
    missing: Range = (0.0, 0.5)
    holes: Range = (0, 4)
    staggered: float = 0.15
    terrain: float = 0.4
    turned: float = 0.3

    def sample(self, surface: Surface, count: int, rng: np.random.Generator) -> Sample:
        """About `count` points and their normals.

        Raises:
            ValueError: the surface is empty.
        """
        way = self.draw(rng)
        axes = random_axes(rng)
        if rng.random() < way.terrain:
            surface, axes = Implicit(parts.terrain(rng), Box((1.0, rng.uniform(0.5, 1.0), 1.2))), np.eye(3)
        local = surface.sample(1000, rng)[0] @ axes.T
        low, high = local.min(0), local.max(0)
        probe = rng.uniform(low[:2], high[:2], (PROBES, 2))
        seen = len(_down(surface, probe, high[2] + 1, axes)[0]) / PROBES
        enough(round(seen * PROBES))
        spacing = float(np.sqrt(seen * (1 - way.missing) * np.prod((high - low)[:2]) / count))
        cell = spacing * np.array([way.ratio**0.5, way.ratio**-0.5])
        rows, columns = (np.arange(np.ceil(low[a] / cell[a]), np.floor(high[a] / cell[a]) + 1) for a in (0, 1))
        index = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2)
        index = index[rng.random(len(index)) >= way.missing]
        if rng.random() < way.staggered:
            index = index + rng.random(len(rows))[index[:, 0].astype(int) - int(rows[0])][:, None] * [0, 1]
        index = index[~_in_holes(index * cell, low, high, int(way.holes), rng)]
        place = (index + way.jitter * rng.standard_normal(index.shape)) * cell
        ray, height, normal = _down(surface, place, high[2] + 1, axes)
        height = way.relief * height + way.noise * spacing * rng.standard_normal(len(height))
        height = rounded(height, way.rounding * spacing)
        pos = np.concatenate([place[ray], height[:, None]], 1)
        normal = normal / np.array([1, 1, way.relief])
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        enough(len(pos))
        turn = random_axes(rng) if rng.random() < way.turned else np.eye(3)
        return pos @ turn.T, normal @ turn.T


def _down(
    surface: Surface, place: np.ndarray, top: float, axes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rays down at (M, 2) places from height `top` in the frame `axes`: rows that meet, heights and local normals."""
    start = np.concatenate([place, np.full((len(place), 1), top)], 1) @ axes
    rows, distance, normal = met(surface, start, np.broadcast_to(-axes[2], start.shape))
    return rows, top - distance, normal @ axes.T


def _in_holes(place: np.ndarray, low: np.ndarray, high: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    inside = np.zeros(len(place), dtype=bool)
    size = (high - low)[:2]
    for _ in range(count):
        middle, half = low[:2] + size * rng.random(2), size * rng.uniform(0.01, HOLE, 2)
        inside |= (np.abs(place - middle) < half).all(1)
    return inside
