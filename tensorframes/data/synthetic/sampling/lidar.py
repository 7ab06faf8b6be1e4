"""Spinning LiDAR: rings of points."""

from dataclasses import dataclass

import numpy as np

from tensorframes.data.synthetic.sampling.streets import street
from tensorframes.data.synthetic.sampling.views import PROBES, Sample, Surface, enough, extent, met
from tensorframes.data.transforms.corruption.corrupted import rounded
from tensorframes.data.transforms.ranges import RandomParameters, Range

RINGS = (16, 32, 40, 64, 128)


@dataclass(frozen=True)
class SpinningLidar(RandomParameters):
    """A scanner whose lasers, at fixed elevations, turn about the vertical; the scanner is at the origin.

    It stands in a street (`streets.street`) or beside the surface alone. Azimuths keep their step: where `count` asks
    for fewer points, the scan is cut to a sector.

    Args:
        rings: number of lasers, rounded to one of RINGS.
        down, up: elevation of the lowest and highest laser, degrees.
        uneven: probability that lasers are closest about the horizon, as in some scanners.
        step: of azimuth, degrees.
        staggered: probability that every ring begins at an azimuth of its own.
        narrowest: sector, degrees.
        size: half of the street's extent, metres.
        height: of the scanner above the ground, metres.
        noise: standard deviation along the ray, metres.
        rounding: step of distances, metres.
        alone: probability that the surface, three to ten radii away, is all there is.
        lost: part of the rays that return nothing.
    """

    rings: Range = (16, 128)
    down: Range = (-30.0, -12.0)
    up: Range = (2.0, 15.0)
    uneven: float = 0.25
    step: Range = (0.1, 0.6)
    staggered: float = 0.5
    narrowest: float = 40.0
    size: Range = (8.0, 40.0)
    height: Range = (1.2, 2.5)
    noise: Range = (0.0, 0.03)
    rounding: Range = (0.0, 0.01)
    alone: float = 0.15
    lost: Range = (0.0, 0.1)

    def sample(self, surface: Surface, count: int, rng: np.random.Generator) -> Sample:
        """About `count` points and their normals.

        Raises:
            ValueError: nothing is met.
        """
        way = self.draw(rng)
        rings = RINGS[int(np.abs(np.log(np.array(RINGS) / way.rings)).argmin())]
        if rng.random() < way.alone:
            centre, radius = extent(surface, rng)
            scene, away = surface, rng.uniform(3, 10) * radius
            eye, unit = centre - np.array([away, 0.0, 0.0]), 2.0 / radius
            facing, span = 0.0, 2 * float(np.degrees(np.arcsin(radius / away)))
            elevation = np.linspace(-span / 2, span / 2, rings)
        else:
            scene, eye, unit = street(surface, way.size, rng), np.array([0.0, 0.0, way.height]), 1.0
            facing, span = rng.uniform(0, 360), 360.0
            elevation = elevations(way.down, way.up, rings, rng.random() < way.uneven)
        probe = directions(rng.choice(elevation, PROBES), facing + span * rng.uniform(-0.5, 0.5, PROBES))
        seen = len(met(scene, eye, probe)[0])
        enough(seen, 2)
        columns = count / (rings * (seen / PROBES) * (1 - way.lost))
        sector = float(np.clip(columns * way.step, min(self.narrowest, span), span))
        azimuth = facing - sector / 2 + np.arange(int(columns)) * sector / columns
        azimuth, elevation = np.meshgrid(azimuth, elevation)
        if rng.random() < way.staggered:
            azimuth = azimuth + rng.random((rings, 1)) * sector / columns
        azimuth, elevation = azimuth.ravel(), elevation.ravel()
        kept = rng.random(len(azimuth)) >= way.lost
        direction = directions(elevation[kept], azimuth[kept])
        rows, distance, normal = met(scene, eye, direction)
        enough(len(rows))
        distance = distance * unit + way.noise * rng.standard_normal(len(distance))
        return direction[rows] * rounded(distance, way.rounding)[:, None], normal


def elevations(down: float, up: float, count: int, uneven: bool) -> np.ndarray:
    """(count,) ascending elevations of lasers: at equal steps, or closer about 0."""
    even = np.linspace(down, up, count)
    if not uneven:
        return even
    return np.where(even < 0, down * np.abs(even / down) ** 1.6, up * np.abs(even / up) ** 1.6)


def directions(elevation: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Unit vectors (M, 3) of elevations and azimuths (M,) in degrees."""
    e, a = np.radians(elevation), np.radians(azimuth)
    return np.stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)], 1)
