"""Airborne scans: lines across the track of a moving scanner."""

from dataclasses import dataclass

import numpy as np
import torch

from tensorframes.data.synthetic.sampling.streets import about_vertical
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
from tensorframes.data.synthetic.shapes.combine import Union
from tensorframes.data.synthetic.shapes.fields import Box, Field, Polygon, Prism
from tensorframes.data.synthetic.shapes.sampling import Implicit
from tensorframes.data.transforms.corruption.corrupted import rounded
from tensorframes.data.transforms.ranges import RandomParameters, Range

NARROWEST = 0.5
"""Least width of a strip, a fraction of the extent of the scene across the track."""

ALIGNED = 0.7
"""Share of the strips that are parallel to the first one; the others cross it at right angles."""


@dataclass(frozen=True)
class AirborneScan(RandomParameters):
    """Strips of parallel scan lines, as of airborne LiDAR and of multibeam sonar, over terrain or over the surface.

    A scanner flies along a straight track above the scene and sweeps across it at equal steps of the angle. Lengths are
    in spacings, the square root of the area per point at the height of the highest point of the scene.

    Args:
        strips: number of strips, merged.
        angle: half of the field of view, degrees.
        ratio: distance of scan lines divided by the step along them.
        zigzag: probability of an oscillating mirror, whose lines alternate; otherwise lines are parallel.
        noise: standard deviation along the ray.
        line_noise: standard deviation of the error along the ray that the points of a scan line share.
        offset: standard deviation of the heights of strips relative to each other.
        plants: share of the points that lie above the surface; they are unlabelled.
        plant_height: mean height of these above the surface, along the ray, exponentially distributed.
        rounding: step of the coordinates.
        relief: factor of the heights, with the normals of the scaled surface.
        lost: share of the rays without a return.
        terrain: probability of a terrain with houses instead of the surface.
        houses: number of houses.
        turned: probability of a random orientation of the cloud.
    """

    shares = ("zigzag", "plants", "lost", "terrain", "turned")

    strips: Range = (1, 3)
    angle: Range = (8.0, 40.0)
    ratio: Range = (0.5, 5.0)
    zigzag: float = 0.3
    noise: Range = (0.02, 1.0)
    line_noise: Range = (0.0, 0.3)
    offset: Range = (0.0, 0.3)
    plants: Range = (0.0, 0.3)
    plant_height: Range = (0.1, 10.0)
    rounding: Range = (0.0, 0.3)
    relief: Range = (0.2, 1.0)
    lost: Range = (0.0, 0.3)
    terrain: float = 0.7
    houses: Range = (0, 20)
    turned: float = 0.3

    def sample(self, surface: Surface, count: int, rng: np.random.Generator) -> Sample:
        """About `count` points and their normals, 0 for points above the surface.

        Raises:
            ValueError: nothing is met.
        """
        settings = self.draw(rng)
        axes = random_axes(rng)
        if rng.random() < settings.terrain:
            surface, axes = settlement(int(settings.houses), rng), np.eye(3)
        corners, first = surface.sample(1000, rng)[0], rng.uniform(0, 2 * np.pi)
        strips = []
        for strip in range(int(settings.strips)):
            heading = first + (0.0 if strip == 0 or rng.random() < ALIGNED else np.pi / 2)
            turn = about_vertical(heading).T
            pos, normal, spacing = settings._strip(surface, turn @ axes, corners, count / settings.strips, rng)
            strips.append((pos @ turn, normal @ turn, spacing))
        pos, normal = (np.concatenate(part) for part in zip(*(strip[:2] for strip in strips), strict=True))
        check_count(len(pos))
        pos = rounded(pos, settings.rounding * strips[0][2])
        frame = random_axes(rng) if rng.random() < settings.turned else np.eye(3)
        return pos @ frame, normal @ frame

    def _strip(
        self, surface: Surface, axes: np.ndarray, inside: np.ndarray, count: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """One strip: its points (N, 3) and normals (N, 3) in the frame `axes`, whose rows are along the track, across
        it and up, and the spacing. `inside` are (K, 3) points of the surface."""
        low, high = (inside @ axes.T).min(0), (inside @ axes.T).max(0)
        half = (high - low) / 2
        width = half[1] * rng.uniform(NARROWEST, 1.0)
        across = (low[1] + high[1]) / 2 + rng.uniform(-1, 1) * (half[1] - width)
        tangent = float(np.tan(np.radians(self.angle)))
        scanner = Scanner(surface, axes, across, high[2] + width / tangent)
        probes = scanner.cast(rng.uniform(low[0], high[0], PROBES), tangent * rng.uniform(-1, 1, PROBES))
        check_count(len(probes.rows))
        area = 4 * half[0] * width * len(probes.rows) / PROBES * (1 - self.lost)
        spacing = float(np.sqrt(area / count))
        along, slope, line = self._lines((low[0], high[0]), width, spacing, rng)
        returned = rng.random(len(line)) >= self.lost
        hits = scanner.cast(along[returned], slope[returned])
        pos, normal = self._disturbed(hits, line[returned][hits.rows], line[-1] + 1, spacing, rng)
        return pos, normal, spacing

    def _lines(
        self, ends: tuple[float, float], width: float, spacing: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The rays of all scan lines of a strip between two ends of the track: their positions (M,) on it, the tangents
        (M,) of their angles, and the indices (M,) of their lines."""
        apart, step = spacing * self.ratio**0.5, spacing * self.ratio**-0.5
        steps = max(2, round(2 * width / step))
        start = np.arange(ends[0] + apart * rng.random(), ends[1], apart)
        check_count(len(start))
        angle = np.radians(self.angle) * (2 * (np.arange(steps) + rng.random((len(start), 1))) / steps - 1)
        along = np.repeat(start[:, None], steps, 1)
        if rng.random() < self.zigzag:
            angle[1::2] *= -1
            along += apart * np.arange(steps) / steps
        return along.ravel(), np.tan(angle).ravel(), np.repeat(np.arange(len(start)), steps)

    def _disturbed(
        self, hits: "Hits", line: np.ndarray, lines: int, spacing: float, rng: np.random.Generator
    ) -> Sample:
        """Points and normals of a strip with all errors, from the hits (M,) of its rays, the indices (M,) of their
        lines and the number of lines."""
        pos = hits.pos * [1, 1, self.relief]
        normal = scaled_heights_normals(hits.normal, self.relief)
        error = self.noise * rng.standard_normal(len(pos))
        error += self.line_noise * rng.standard_normal(lines)[line]
        plant = rng.random(len(pos)) < self.plants
        error -= np.where(plant, self.plant_height * rng.exponential(size=len(pos)), 0.0)
        pos += spacing * error[:, None] * hits.ray
        pos[:, 2] += spacing * self.offset * rng.standard_normal()
        normal[plant] = 0.0
        return pos, normal


@dataclass(frozen=True, eq=False)
class Hits:
    """Rays that hit the surface: their rows (M,) among all, and in the scanner's frame the points (M, 3), the normals
    (M, 3) there and the unit directions (M, 3)."""

    rows: np.ndarray
    pos: np.ndarray
    normal: np.ndarray
    ray: np.ndarray


@dataclass(frozen=True, eq=False)
class Scanner:
    """A scanner above the surface that moves along a straight track.

    Args:
        surface: what it scans.
        axes: (3, 3) rows along the track, across it and up.
        across, height: coordinates of the track along the last two.
    """

    surface: Surface
    axes: np.ndarray
    across: float
    height: float

    def cast(self, along: np.ndarray, slope: np.ndarray) -> Hits:
        """The hits of rays across the track from positions (M,) on it, of angles with the tangents (M,)."""
        start = np.stack([along, np.full(len(along), self.across), np.full(len(along), self.height)], 1)
        ray = np.stack([np.zeros(len(slope)), slope, -np.ones(len(slope))], 1)
        ray /= np.linalg.norm(ray, axis=1, keepdims=True)
        rows, distance, normal = first_hits(self.surface, start @ self.axes, ray @ self.axes)
        return Hits(rows, start[rows] + distance[:, None] * ray[rows], normal @ self.axes.T, ray[rows])


def settlement(count: int, rng: np.random.Generator) -> Implicit:
    """A terrain with `count` houses."""
    houses = [house(rng) for _ in range(count)]
    return Implicit(Union((parts.terrain(rng), *houses)), Box((1.0, rng.uniform(0.5, 1.0), 1.2)))


def house(rng: np.random.Generator) -> Field:
    """An extruded cross-section with a flat, gable or shed roof, half sunk into the ground."""
    half, tall = rng.uniform(0.03, 0.12), rng.uniform(0.03, 0.15)
    slope = (0.0, *rng.uniform(0.2, 1.2, 2))[int(rng.integers(3))]
    ridge = half * rng.choice((0.0, 1.0, rng.uniform(0.2, 0.8)))
    corners = [(-half, -0.3), (half, -0.3), (half, tall)]
    top = tall + slope * half
    corners += [(-half, top)] if slope == 0 or ridge == half else [(ridge, top), (-half, tall)]
    section = Prism(Polygon(torch.tensor(corners, dtype=torch.float64)), rng.uniform(0.04, 0.2))
    cos, sin = np.cos(angle := rng.uniform(0, 2 * np.pi)), np.sin(angle)
    # The section's axes: across the house, up; it is extruded along the ridge.
    turn = np.array([[cos, sin, 0.0], [0.0, 0.0, 1.0], [sin, -cos, 0.0]])
    return parts.upright(section, turn, np.append(rng.uniform(-0.8, 0.8, 2), 0.0))
