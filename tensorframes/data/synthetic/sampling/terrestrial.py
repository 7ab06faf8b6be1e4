"""Terrestrial scans: rays at equal angles from one or more positions."""

from dataclasses import dataclass, replace

import numpy as np

from tensorframes.data.synthetic.sampling.lidar import directions
from tensorframes.data.synthetic.sampling.streets import street
from tensorframes.data.synthetic.sampling.views import (
    PROBES,
    Sample,
    Surface,
    camera_axes,
    check_count,
    extent,
    first_hits,
)
from tensorframes.data.synthetic.shapes.scenes import Casts
from tensorframes.data.transforms.ranges import RandomParameters, Range


@dataclass(frozen=True)
class TerrestrialScan(RandomParameters):
    """Merged scans at equal steps of elevation and azimuth, around the surface or in a street with it.

    Args:
        views: number of positions of the scanner, each with an equal share of the points.
        distance: from the centre of the surface, in radii of the surface.
        noise: standard deviation along the ray, as a fraction of the radius of the scene.
        lines: probability of scan lines with random offsets.
        ratio: distance of scan lines divided by the step along them.
        scene: probability that the scene is a street.
        lost: share of the rays without a return.
    """

    shares = ("lines", "scene", "lost")

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
        settings = self.draw(rng)
        share = count / settings.views
        if rng.random() >= settings.lines:
            settings = replace(settings, ratio=1.0)
        if rng.random() < settings.scene:
            size = 10.0
            scene = street(surface, size, rng)
            eyes = [
                np.array([*rng.uniform(-0.1, 0.1, 2) * size, rng.uniform(1.2, 2.5)]) for _ in range(int(settings.views))
            ]
            scans = [settings._scan(scene, (eye, np.eye(3), 180.0, (-60.0, 60.0)), size, share, rng) for eye in eyes]
        else:
            centre, size = extent(surface, rng)
            half = float(np.degrees(np.arcsin(1 / max(settings.distance, 1.01))))
            scans = []
            for _ in range(int(settings.views)):
                direction = rng.standard_normal(3) * np.array([1, 1, 0.5])
                axes = camera_axes(direction / np.linalg.norm(direction))
                eye = centre - settings.distance * size * axes[2]
                frame = np.stack([axes[2], axes[0], -axes[1]])
                scans.append(settings._scan(surface, (eye, frame, half, (-half, half)), size, share, rng))
        pos, normal = (np.concatenate(part) for part in zip(*scans, strict=True))
        check_count(len(pos))
        return pos, normal

    def _scan(
        self,
        scene: Casts,
        view: tuple[np.ndarray, np.ndarray, float, tuple[float, float]],
        size: float,
        count: float,
        rng: np.random.Generator,
    ) -> Sample:
        """One scan. `view`: position, frame (ahead, left, up), half range of azimuth and range of elevation,
        degrees."""
        eye, frame, half, (low, high) = view
        probe = directions(rng.uniform(low, high, PROBES), rng.uniform(-half, half, PROBES)) @ frame
        visible = len(first_hits(scene, eye, probe)[0]) / PROBES
        if visible == 0:
            return np.zeros((0, 3)), np.zeros((0, 3))
        step = float(np.sqrt(visible * (1 - self.lost) * 2 * half * (high - low) / count))
        apart, along = step * self.ratio**0.5, step * self.ratio**-0.5
        line = np.arange(low, high, apart)
        elevation, azimuth = np.meshgrid(line, np.arange(-half, half, along), indexing="ij")
        if self.ratio > 1:
            azimuth = azimuth + along * rng.random((len(line), 1))
        returned = rng.random(azimuth.size) >= self.lost
        direction = directions(elevation.ravel()[returned], azimuth.ravel()[returned]) @ frame
        rows, distance, normal = first_hits(scene, eye, direction)
        distance = distance + self.noise * size * rng.standard_normal(len(distance))
        return eye + direction[rows] * distance[:, None], normal
