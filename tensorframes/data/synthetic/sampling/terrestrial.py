"""Terrestrial scans: rays at equal angles, from one or more places."""

from dataclasses import dataclass, replace

import numpy as np

from tensorframes.data.synthetic.sampling.lidar import directions
from tensorframes.data.synthetic.sampling.streets import street
from tensorframes.data.synthetic.sampling.views import PROBES, Sample, Surface, enough, extent, looking, met
from tensorframes.data.synthetic.shapes.scenes import Casts
from tensorframes.data.transforms.ranges import RandomParameters, Range


@dataclass(frozen=True)
class TerrestrialScan(RandomParameters):
    """Scans at equal steps of elevation and azimuth, merged; about the surface, or in a street with it.

    Args:
        views: places of the scanner, each with its share of the points.
        distance: from the middle of the surface, in radii of the surface.
        noise: standard deviation along the ray, as a part of the scene's radius.
        lines: probability of scan lines: steps between lines that are `ratio` times those along them, each line
            beginning at a place of its own.
        ratio: see there.
        scene: probability that it stands in a street.
        lost: part of the rays that return nothing.
    """

    views: Range = (1, 4)
    distance: Range = (1.3, 5.0)
    noise: Range = (0.0, 0.004)
    lines: float = 0.4
    ratio: Range = (1.5, 8.0)
    scene: float = 0.4
    lost: Range = (0.0, 0.2)

    def sample(self, surface: Surface, count: int, rng: np.random.Generator) -> Sample:
        """About `count` points and their normals.

        Raises:
            ValueError: nothing is met.
        """
        way = self.draw(rng)
        share = count / way.views
        if rng.random() >= way.lines:
            way = replace(way, ratio=1.0)
        if rng.random() < way.scene:
            size = 10.0
            scene = street(surface, size, rng)
            eyes = [np.array([*rng.uniform(-0.1, 0.1, 2) * size, rng.uniform(1.2, 2.5)]) for _ in range(int(way.views))]
            found = [way._scan(scene, (eye, np.eye(3), 180.0, (-60.0, 60.0)), size, share, rng) for eye in eyes]
        else:
            centre, size = extent(surface, rng)
            half = float(np.degrees(np.arcsin(1 / max(way.distance, 1.01))))
            found = []
            for _ in range(int(way.views)):
                direction = rng.standard_normal(3) * np.array([1, 1, 0.5])
                axes = looking(direction / np.linalg.norm(direction))
                eye = centre - way.distance * size * axes[2]
                frame = np.stack([axes[2], axes[0], -axes[1]])
                found.append(way._scan(surface, (eye, frame, half, (-half, half)), size, share, rng))
        pos, normal = (np.concatenate(part) for part in zip(*found, strict=True))
        enough(len(pos))
        return pos, normal

    def _scan(
        self,
        scene: Casts,
        view: tuple[np.ndarray, np.ndarray, float, tuple[float, float]],
        size: float,
        count: float,
        rng: np.random.Generator,
    ) -> Sample:
        """One scan, from a place, in a frame (ahead, left, up), over so many degrees of azimuth either side and a range
        of elevations."""
        eye, frame, half, (low, high) = view
        probe = directions(rng.uniform(low, high, PROBES), rng.uniform(-half, half, PROBES)) @ frame
        seen = len(met(scene, eye, probe)[0]) / PROBES
        if seen == 0:
            return np.zeros((0, 3)), np.zeros((0, 3))
        step = float(np.sqrt(seen * (1 - self.lost) * 2 * half * (high - low) / count))
        apart, along = step * self.ratio**0.5, step * self.ratio**-0.5
        line, azimuth = np.arange(low, high, apart), np.arange(-half, half, along)
        elevation, azimuth = np.meshgrid(line, azimuth, indexing="ij")
        if self.ratio > 1:
            azimuth = azimuth + along * rng.random((len(line), 1))
        elevation, azimuth = elevation.ravel(), azimuth.ravel()
        kept = rng.random(len(azimuth)) >= self.lost
        direction = directions(elevation[kept], azimuth[kept]) @ frame
        rows, distance, normal = met(scene, eye, direction)
        distance = distance + self.noise * size * rng.standard_normal(len(distance))
        return eye + direction[rows] * distance[:, None], normal
