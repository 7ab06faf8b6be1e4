"""Elevation grids: heights over a regular grid."""

from dataclasses import dataclass

import numpy as np

from tensorframes.data.synthetic.sampling.views import (
    PROBES,
    Sample,
    Surface,
    check_count,
    first_hits,
    random_axes,
    scaled_heights_normals,
)
from tensorframes.data.synthetic.shapes import parts
from tensorframes.data.synthetic.shapes.fields import Box
from tensorframes.data.synthetic.shapes.sampling import Implicit
from tensorframes.data.transforms.corruption.corrupted import rounded
from tensorframes.data.transforms.ranges import RandomParameters, Range

HOLE = 0.2
"""Largest half side of a block of missing cells, as a fraction of the extent."""


@dataclass(frozen=True)
class ElevationGrid(RandomParameters):
    """The first hits of vertical rays, one per cell of a grid, from above: a random direction, or the vertical of a
    terrain that replaces the surface.

    Lengths are in spacings, the square root of the area of a cell.

    Args:
        ratio: longer side of a cell divided by the shorter one.
        jitter: standard deviation of the horizontal position of a ray, in sides of its cell.
        noise: standard deviation of heights, in spacings.
        rounding: step of heights, in spacings.
        relief: factor of the heights, with the normals of the scaled surface.
        missing: share of the cells that are missing at random.
        holes: number of missing blocks of cells.
        staggered: probability that each row of cells has a random offset, as parallel scan lines have.
        terrain: probability of a terrain, with or without buildings, instead of the surface.
        turned: probability of a random orientation of the grid; otherwise it is aligned with the axes.
    """

    shares = ("missing", "staggered", "terrain", "turned")

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
        settings = self.draw(rng)
        axes = random_axes(rng)
        if rng.random() < settings.terrain:
            surface, axes = Implicit(parts.terrain(rng), Box((1.0, rng.uniform(0.5, 1.0), 1.2))), np.eye(3)
        local = surface.sample(1000, rng)[0] @ axes.T
        low, high = local.min(0), local.max(0)
        probe = rng.uniform(low[:2], high[:2], (PROBES, 2))
        visible = len(_down(surface, probe, high[2] + 1, axes)[0]) / PROBES
        check_count(round(visible * PROBES))
        spacing = float(np.sqrt(visible * (1 - settings.missing) * np.prod((high - low)[:2]) / count))
        cell = spacing * np.array([settings.ratio**0.5, settings.ratio**-0.5])
        rows, columns = (np.arange(np.ceil(low[a] / cell[a]), np.floor(high[a] / cell[a]) + 1) for a in (0, 1))
        index = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2)
        index = index[rng.random(len(index)) >= settings.missing]
        if rng.random() < settings.staggered:
            index = index + rng.random(len(rows))[index[:, 0].astype(int) - int(rows[0])][:, None] * [0, 1]
        index = index[~_in_holes(index * cell, low, high, int(settings.holes), rng)]
        place = (index + settings.jitter * rng.standard_normal(index.shape)) * cell
        ray, height, normal = _down(surface, place, high[2] + 1, axes)
        height = settings.relief * height + settings.noise * spacing * rng.standard_normal(len(height))
        height = rounded(height, settings.rounding * spacing)
        pos = np.concatenate([place[ray], height[:, None]], 1)
        normal = scaled_heights_normals(normal, settings.relief)
        check_count(len(pos))
        turn = random_axes(rng) if rng.random() < settings.turned else np.eye(3)
        return pos @ turn.T, normal @ turn.T


def _down(
    surface: Surface, place: np.ndarray, top: float, axes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Downward rays at (M, 2) from height `top` in the frame `axes`: rows that hit, their heights and local normals."""
    start = np.concatenate([place, np.full((len(place), 1), top)], 1) @ axes
    rows, distance, normal = first_hits(surface, start, np.broadcast_to(-axes[2], start.shape))
    return rows, top - distance, normal @ axes.T


def _in_holes(place: np.ndarray, low: np.ndarray, high: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    inside = np.zeros(len(place), dtype=bool)
    size = (high - low)[:2]
    for _ in range(count):
        middle, half = low[:2] + size * rng.random(2), size * rng.uniform(0.01, HOLE, 2)
        inside |= (np.abs(place - middle) < half).all(1)
    return inside
