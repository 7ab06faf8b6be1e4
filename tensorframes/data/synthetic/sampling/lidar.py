"""Spinning LiDAR scanners."""

from dataclasses import dataclass

import numpy as np

from tensorframes.data.synthetic.sampling.streets import street
from tensorframes.data.synthetic.sampling.views import PROBES, Sample, Surface, check_count, extent, first_hits
from tensorframes.data.synthetic.shapes.scenes import Casts
from tensorframes.data.transforms.corruption.corrupted import rounded
from tensorframes.data.transforms.ranges import RandomParameters, Range

RINGS = (16, 32, 40, 64, 128)


@dataclass(frozen=True)
class SpinningLidar(RandomParameters):
    """A scan of lasers at fixed elevations that rotate about the vertical, with the scanner at the origin.

    The scene is a street (`streets.street`) or the surface alone. The step of azimuth does not depend on `count`: scans
    of fewer points cover a sector.

    Args:
        rings: number of lasers, rounded to one of RINGS.
        down, up: elevation of the lowest and highest laser, degrees.
        uneven: probability that lasers are denser near the horizon, as in some scanners.
        step: of azimuth, degrees.
        staggered: probability that each ring has a random offset of azimuth.
        narrowest: smallest sector, degrees.
        size: half of the extent of the street, metres.
        height: of the scanner above the ground, metres.
        noise: standard deviation along the ray, metres.
        laser_noise: standard deviation of the error along the ray that all points of a laser share, metres.
        rounding: step of distances, metres.
        alone: probability that the scene is the surface alone, at three to ten radii.
        lost: share of the rays without a return.
    """

    shares = ("uneven", "staggered", "alone", "lost")
    signed = ("down", "up")

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
    laser_noise: Range = (0.0, 0.015)
    rounding: Range = (0.0, 0.01)
    alone: float = 0.15
    lost: Range = (0.0, 0.1)

    def sample(self, surface: Surface, count: int, rng: np.random.Generator) -> Sample:
        """About `count` points and their normals.

        Raises:
            ValueError: nothing is met.
        """
        settings = self.draw(rng)
        rings = RINGS[int(np.abs(np.log(np.array(RINGS) / settings.rings)).argmin())]
        if rng.random() < settings.alone:
            centre, radius = extent(surface, rng)
            scene: Casts = surface
            away = rng.uniform(3, 10) * radius
            eye, unit = centre - np.array([away, 0.0, 0.0]), 2.0 / radius
            facing, span = 0.0, 2 * float(np.degrees(np.arcsin(radius / away)))
            elevation = np.linspace(-span / 2, span / 2, rings)
        else:
            scene, eye, unit = street(surface, settings.size, rng), np.array([0.0, 0.0, settings.height]), 1.0
            facing, span = rng.uniform(0, 360), 360.0
            elevation = elevations(settings.down, settings.up, rings, rng.random() < settings.uneven)
        probe = directions(rng.choice(elevation, PROBES), facing + span * rng.uniform(-0.5, 0.5, PROBES))
        visible = len(first_hits(scene, eye, probe)[0])
        check_count(visible, 2)
        columns = count / (rings * (visible / PROBES) * (1 - settings.lost))
        sector = float(np.clip(columns * settings.step, min(self.narrowest, span), span))
        azimuth = facing - sector / 2 + np.arange(int(columns)) * sector / columns
        azimuth, elevation = np.meshgrid(azimuth, elevation)
        if rng.random() < settings.staggered:
            azimuth = azimuth + rng.random((rings, 1)) * sector / columns
        azimuth, elevation = azimuth.ravel(), elevation.ravel()
        shared = np.repeat(settings.laser_noise * rng.standard_normal(rings), len(azimuth) // rings)
        returned = rng.random(len(azimuth)) >= settings.lost
        direction = directions(elevation[returned], azimuth[returned])
        rows, distance, normal = first_hits(scene, eye, direction)
        check_count(len(rows))
        distance = distance * unit + shared[returned][rows] + settings.noise * rng.standard_normal(len(distance))
        return direction[rows] * rounded(distance, settings.rounding)[:, None], normal


def elevations(down: float, up: float, count: int, uneven: bool) -> np.ndarray:
    """Ascending elevations (count,) of lasers: at equal steps, or denser near 0."""
    even = np.linspace(down, up, count)
    if not uneven:
        return even
    return np.where(even < 0, down * np.abs(even / down) ** 1.6, up * np.abs(even / up) ** 1.6)


def directions(elevation: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Unit vectors (M, 3) of elevations and azimuths (M,) in degrees."""
    e, a = np.radians(elevation), np.radians(azimuth)
    return np.stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)], 1)
