"""Depth images: a pinhole camera, one point a pixel."""

from dataclasses import dataclass

import numpy as np

from tensorframes.clouds.corruption.corrupted import rounded
from tensorframes.clouds.ranges import Drawable, Range
from tensorframes.clouds.sampling.views import PROBES, Sample, Surface, enough, extent, looking, met

JUMP = 8.0
"""A jump of depth, in spacings."""


@dataclass(frozen=True)
class DepthImage(Drawable):
    """Points of the pixels of one or more cameras that look at the surface from outside.

    Depth z is measured along the camera's axis. Its error is told in spacings, the distance of neighbouring pixels at
    the median depth z0; the noise has the standard deviation noise (z / z0)^2, as stereo and structured light have it.
    Mixed pixels, beside a jump of depth, lie between both surfaces and have the normal 0. Coordinates are the first
    camera's: right, down, forward.

    Args:
        views: number of cameras, their clouds merged.
        distance: from the middle of the surface, in radii of the surface.
        aspect: width of a pixel to its height.
        noise: of depth, in spacings.
        rounding: step of depth, in spacings.
        disparity: probability that 1 / depth is rounded, whose steps grow like the noise.
        lost: part of the pixels without depth.
        mixed: part of the pixels beside a jump that are mixed.
    """

    views: Range = (1, 3)
    distance: Range = (1.5, 5.0)
    aspect: Range = 1.0
    noise: Range = (0.0, 0.6)
    rounding: Range = (0.0, 0.5)
    disparity: float = 0.3
    lost: Range = (0.0, 0.2)
    mixed: Range = (0.0, 0.5)

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
        pixels = np.stack(np.meshgrid(*steps, indexing="ij"), -1)
        direction, stretch = _rays(pixels.reshape(-1, 2), axes)
        rows, distance, normal = met(surface, eye, direction)
        image = np.full(pixels.shape[:2], np.nan)
        image.flat[rows] = distance / stretch[rows]
        image, unlabelled = mixed(image, JUMP * pitch, self.mixed, rng)
        normal = np.where(unlabelled.flat[rows][:, None], 0.0, normal)
        kept = rng.random(len(rows)) >= self.lost
        rows, normal = rows[kept], normal[kept]
        depth = self._disturbed(image.flat[rows], pitch, inverse, rng)
        return eye + direction[rows] * (depth * stretch[rows])[:, None], normal

    def _disturbed(self, depth: np.ndarray, pitch: float, inverse: bool, rng: np.random.Generator) -> np.ndarray:
        """Depths (K,) with noise, rounded; `pitch` is the distance of pixels at depth 1."""
        if len(depth) == 0:
            return depth
        middle = float(np.median(depth))
        depth = depth + self.noise * pitch * middle * (depth / middle) ** 2 * rng.standard_normal(len(depth))
        step = self.rounding * pitch * middle
        return 1 / rounded(1 / depth, step / middle**2) if inverse else rounded(depth, step)


def mixed(image: np.ndarray, jump: float, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An image (W, H) in which a share of the pixels whose depth z differs by more than jump z from the next one's in a
    row or column have a depth in between, and which these are (W, H)."""
    changed = np.zeros(image.shape, dtype=bool)
    if share == 0:
        return image, changed
    made = image.copy()
    for axis in (0, 1):
        following = np.roll(image, -1, axis)
        beside = np.abs(following - image) > jump * image  # False beside a pixel without depth
        beside[(-1, slice(None)) if axis == 0 else (slice(None), -1)] = False
        beside &= rng.random(image.shape) < share
        made[beside] += rng.random(int(beside.sum())) * (following - image)[beside]
        changed |= beside
    return made, changed


def _rays(pixels: np.ndarray, axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit directions (M, 3) through pixels (M, 2) at depth 1, and their lengths (M,) up to there."""
    through = np.concatenate([pixels, np.ones((len(pixels), 1))], 1)
    stretch = np.linalg.norm(through, axis=1)
    return through @ axes / stretch[:, None], stretch
