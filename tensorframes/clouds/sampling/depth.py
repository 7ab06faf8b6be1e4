"""Depth images: a pinhole camera, one point a pixel."""

from dataclasses import dataclass

import numpy as np

from tensorframes.clouds.ranges import Drawable, Range
from tensorframes.clouds.sampling.views import PROBES, Sample, Surface, enough, extent, looking, met, rounded


@dataclass(frozen=True)
class DepthImage(Drawable):
    """Points of the pixels of one or more cameras that look at the surface from outside.

    Depth is measured along the camera's axis. Its error is told in spacings, the distance of neighbouring pixels at the
    median depth z0; noise at depth z has the standard deviation noise (z / z0)^2, as stereo and structured light have
    it. Coordinates are the first camera's: right, down, forward.

    Args:
        views: number of cameras, their clouds merged.
        distance: from the middle of the surface, in radii of the surface.
        aspect: width of a pixel to its height.
        noise: of depth, in spacings.
        rounding: step of depth, in spacings.
        disparity: probability that 1 / depth is rounded, whose steps grow like the noise.
        lost: part of the pixels without depth.
    """

    views: Range = (1, 3)
    distance: Range = (1.5, 5.0)
    aspect: Range = 1.0
    noise: Range = (0.0, 0.6)
    rounding: Range = (0.0, 0.5)
    disparity: float = 0.3
    lost: Range = (0.0, 0.2)

    def sample(self, surface: Surface, count: int, rng: np.random.Generator) -> Sample:
        """About `count` points and their normals.

        Raises:
            ValueError: the surface is empty.
        """
        way = self.draw(rng)
        centre, radius = extent(surface, rng)
        inverse = rng.random() < way.disparity
        pos, normal, frames = [], [], []
        for _ in range(int(way.views)):
            direction = rng.standard_normal(3)
            axes = looking(direction / np.linalg.norm(direction), rng.uniform(-0.5, 0.5))
            eye = centre - axes[2] * way.distance * radius + rng.normal(0, 0.1 * radius, 3)
            frames.append((axes, eye))
            half = 1.05 / np.sqrt(max(way.distance**2 - 1, 0.5)) + 0.1 / way.distance
            found = way._image(surface, (axes, eye), half, count / way.views, inverse, rng)
            pos.append(found[0])
            normal.append(found[1])
        axes, eye = frames[0]
        cloud = np.concatenate(pos)
        enough(len(cloud))
        return (cloud - eye) @ axes.T, np.concatenate(normal) @ axes.T

    def _image(
        self,
        surface: Surface,
        camera: tuple[np.ndarray, np.ndarray],
        half: float,
        count: float,
        inverse: bool,
        rng: np.random.Generator,
    ) -> Sample:
        """Points of one image over |x|, |y| <= half at depth 1."""
        axes, eye = camera
        seen = len(met(surface, eye, _rays(rng.uniform(-half, half, (PROBES, 2)), axes)[0])[0]) / PROBES
        if seen == 0:
            return np.zeros((0, 3)), np.zeros((0, 3))
        pitch = float(np.sqrt(seen * (1 - self.lost) * 4 * half**2 / count))
        size = pitch * np.array([self.aspect**0.5, self.aspect**-0.5])
        steps = [np.arange(-np.floor(half / each), np.floor(half / each) + 1) * each for each in size]
        pixels = np.stack(np.meshgrid(*steps, indexing="ij"), -1).reshape(-1, 2)
        pixels = pixels[rng.random(len(pixels)) >= self.lost]
        direction, stretch = _rays(pixels, axes)
        rows, distance, normal = met(surface, eye, direction)
        depth = distance / stretch[rows]
        if len(depth) == 0:
            return np.zeros((0, 3)), np.zeros((0, 3))
        middle = float(np.median(depth))
        depth = depth + self.noise * pitch * middle * (depth / middle) ** 2 * rng.standard_normal(len(depth))
        step = self.rounding * pitch * middle
        depth = 1 / rounded(1 / depth, step / middle**2) if inverse else rounded(depth, step)
        return eye + direction[rows] * (depth * stretch[rows])[:, None], normal


def _rays(pixels: np.ndarray, axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit directions (M, 3) through pixels (M, 2) at depth 1, and their lengths (M,) up to there."""
    through = np.concatenate([pixels, np.ones((len(pixels), 1))], 1)
    stretch = np.linalg.norm(through, axis=1)
    return through @ axes / stretch[:, None], stretch
