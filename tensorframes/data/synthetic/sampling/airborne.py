"""Airborne scans: lines across the track of a moving scanner."""

from dataclasses import dataclass

import numpy as np
import torch

from tensorframes.data.synthetic.sampling.streets import about_vertical
from tensorframes.data.synthetic.sampling.views import PROBES, Sample, Surface, enough, met, random_axes
from tensorframes.data.synthetic.shapes import parts
from tensorframes.data.synthetic.shapes.combine import Union
from tensorframes.data.synthetic.shapes.fields import Box, Field, Polygon, Prism
from tensorframes.data.synthetic.shapes.sampling import Implicit
from tensorframes.data.transforms.corruption.corrupted import rounded
from tensorframes.data.transforms.ranges import RandomParameters, Range

NARROWEST = 0.5
"""Least half width of a strip, a fraction of the half diagonal of the scene."""

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
        tall: mean height of these, exponentially distributed.
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
    tall: Range = (0.1, 10.0)
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
        enough(len(pos))
        pos = rounded(pos, settings.rounding * strips[0][2])
        frame = random_axes(rng) if rng.random() < settings.turned else np.eye(3)
        return pos @ frame, normal @ frame

    def _strip(
        self, surface: Surface, axes: np.ndarray, inside: np.ndarray, count: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """One strip: its points (N, 3) and normals (N, 3) in the frame `axes`, whose rows are along the track, across
        it and up, and the spacing. `inside` are (K, 3) points of the surface."""
        low, high = (inside @ axes.T).min(0), (inside @ axes.T).max(0)
        centre, half = (low + high) / 2, (high - low) / 2
        width = half[1] * rng.uniform(NARROWEST, 1.0)
        track = centre[1] + rng.uniform(-1, 1) * (half[1] - width)
        tangent = float(np.tan(np.radians(self.angle)))
        top = high[2] + width / tangent
        probe = np.stack([rng.uniform(low[0], high[0], PROBES), tangent * rng.uniform(-1, 1, PROBES)], 1)
        visible = len(self._cast(surface, axes, (track, top), probe)[0]) / PROBES
        enough(round(visible * PROBES))
        area = 4 * half[0] * width * visible * (1 - self.lost)
        spacing = float(np.sqrt(area / count))
        apart, along = spacing * self.ratio**0.5, spacing * self.ratio**-0.5
        steps = max(2, round(2 * width / along))
        lines = np.arange(low[0] + apart * rng.random(), high[0], apart)
        enough(len(lines))
        shift = rng.random((len(lines), 1))
        sweep = np.radians(self.angle) * (2 * (np.arange(steps) + shift) / steps - 1)
        moved = (np.arange(steps) / steps)[None, :]
        zigzag = rng.random() < self.zigzag
        if zigzag:
            sweep[1::2] *= -1
        x = lines[:, None] + apart * moved * zigzag
        line = np.broadcast_to(np.arange(len(lines))[:, None], sweep.shape).ravel()
        place = np.stack([np.broadcast_to(x, sweep.shape).ravel(), np.tan(sweep).ravel()], 1)
        returned = rng.random(len(place)) >= self.lost
        rows, pos, normal, ray = self._cast(surface, axes, (track, top), place[returned])
        pos[:, 2] *= self.relief
        normal = normal / np.array([1, 1, self.relief])
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        error = self.noise * rng.standard_normal(len(pos))
        error += self.line_noise * rng.standard_normal(len(lines))[line[returned][rows]]
        plant = rng.random(len(pos)) < self.plants
        error -= np.where(plant, self.tall * rng.exponential(size=len(pos)), 0.0)
        pos = pos + spacing * error[:, None] * ray
        pos[:, 2] += spacing * self.offset * rng.standard_normal()
        normal[plant] = 0.0
        return pos, normal, spacing

    def _cast(
        self, surface: Surface, axes: np.ndarray, scanner: tuple[float, float], place: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rays from (x, track, top) with the slopes `place` (M, 2): x along the track, and the tangent of the angle.

        Returns:
            rows that hit the surface; their points, normals and directions, in the frame `axes`.
        """
        track, top = scanner
        start = np.stack([place[:, 0], np.full(len(place), track), np.full(len(place), top)], 1)
        ray = np.stack([np.zeros(len(place)), place[:, 1], -np.ones(len(place))], 1)
        ray /= np.linalg.norm(ray, axis=1, keepdims=True)
        rows, distance, normal = met(surface, start @ axes, ray @ axes)
        return rows, start[rows] + distance[:, None] * ray[rows], normal @ axes.T, ray[rows]


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
