"""Depth images of pinhole cameras, one point per pixel."""

from dataclasses import dataclass

import numpy as np

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
from tensorframes.data.transforms.corruption.corrupted import rounded
from tensorframes.data.transforms.ranges import RandomParameters, Range

JUMP = 8.0
"""Least difference of depth at a discontinuity, in spacings."""

SCENE = (3.0, 10.0)
"""Range of half the extent of a scene, metres."""


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera.

    Args:
        axes: (3, 3) rows right, down, forward.
        eye: (3,) position.
        half: its field of view is |x|, |y| <= half at depth 1.
    """

    axes: np.ndarray
    eye: np.ndarray
    half: float


def around(centre: np.ndarray, radius: float, distance: float, rng: np.random.Generator) -> Camera:
    """A camera that views a ball from a random direction at a distance of `distance` radii."""
    direction = rng.standard_normal(3)
    axes = camera_axes(direction / np.linalg.norm(direction), rng.uniform(-0.5, 0.5))
    eye = centre - axes[2] * distance * radius + rng.normal(0, 0.1 * radius, 3)
    return Camera(axes, eye, 1.05 / np.sqrt(max(distance**2 - 1, 0.5)) + 0.1 / distance)


def within(rng: np.random.Generator) -> Camera:
    """A camera near the origin of a scene, at the height of a table or an eye, looking ahead or slightly down."""
    azimuth, fall = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(-5, 40))
    direction = np.array([np.cos(fall) * np.cos(azimuth), np.cos(fall) * np.sin(azimuth), -np.sin(fall)])
    eye = np.array([*rng.uniform(-0.2, 0.2, 2), rng.uniform(0.7, 1.8)])
    return Camera(camera_axes(direction, rng.uniform(-0.1, 0.1)), eye, rng.uniform(0.4, 0.7))


@dataclass(frozen=True)
class DepthImage(RandomParameters):
    """The points of one or more cameras that view the surface from outside, or from within a scene with it.

    Depth z is measured along the camera's axis. Its errors are in spacings, the distance of neighbouring pixels at the
    median depth z0. The noise has the standard deviation noise (z / z0)^2, as that of stereo and structured light,
    which match windows of pixels, so that errors of neighbouring pixels are alike.
    Mixed pixels, beside a discontinuity of depth, lie between both surfaces and have the normal 0. Coordinates are
    those of the first camera: right, down, forward.

    Args:
        views: number of cameras, their clouds merged.
        scene: probability that the cameras stand in a scene with ground and walls, near one another.
        distance: otherwise, from the centre of the surface, in radii of the surface.
        aspect: width of a pixel divided by its height.
        noise: of depth, in spacings.
        smooth: probability that the noise is white noise after a Gaussian filter.
        window: standard deviation of this filter, in pixels.
        rounding: step of depth, in spacings.
        disparity: probability that 1 / depth is rounded instead, with steps that grow as the noise does.
        lost: share of the pixels without depth.
        mixed: share of the pixels beside a discontinuity that are mixed.
    """

    shares = ("scene", "smooth", "disparity", "lost", "mixed")

    views: Range = (1, 3)
    scene: float = 0.3
    distance: Range = (1.5, 5.0)
    aspect: Range = 1.0
    noise: Range = (0.0, 0.6)
    smooth: float = 0.5
    window: Range = (0.5, 3.0)
    rounding: Range = (0.0, 0.5)
    disparity: float = 0.3
    lost: Range = (0.0, 0.2)
    mixed: Range = (0.0, 0.5)

    def sample(self, surface: Surface, count: int, rng: np.random.Generator) -> Sample:
        """About `count` points and their normals.

        Raises:
            ValueError: the surface is empty.
        """
        settings = self.draw(rng)
        views, inverse = int(settings.views), rng.random() < settings.disparity
        if rng.random() < settings.scene:
            scene: Casts = street(surface, rng.uniform(*SCENE), rng)
            cameras = [within(rng) for _ in range(views)]
        else:
            scene, (centre, radius) = surface, extent(surface, rng)
            cameras = [around(centre, radius, settings.distance, rng) for _ in range(views)]
        images = [settings._image(scene, camera, count / views, inverse, rng) for camera in cameras]
        pos, normal = (np.concatenate(part) for part in zip(*images, strict=True))
        check_count(len(pos))
        return (pos - cameras[0].eye) @ cameras[0].axes.T, normal @ cameras[0].axes.T

    def _image(self, scene: Casts, camera: "Camera", count: float, inverse: bool, rng: np.random.Generator) -> Sample:
        """About `count` points of one image."""
        axes, eye, half = camera.axes, camera.eye, camera.half
        visible = len(first_hits(scene, eye, _rays(rng.uniform(-half, half, (PROBES, 2)), axes)[0])[0]) / PROBES
        if visible == 0:
            return np.zeros((0, 3)), np.zeros((0, 3))
        pitch = float(np.sqrt(visible * (1 - self.lost) * 4 * half**2 / count))
        size = pitch * np.array([self.aspect**0.5, self.aspect**-0.5])
        steps = [np.arange(-np.floor(half / each), np.floor(half / each) + 1) * each for each in size]
        pixels = np.stack(np.meshgrid(*steps, indexing="ij"), -1)
        direction, stretch = _rays(pixels.reshape(-1, 2), axes)
        rows, distance, normal = first_hits(scene, eye, direction)
        image = np.full(pixels.shape[:2], np.nan)
        image.flat[rows] = distance / stretch[rows]
        image, unlabelled = mixed(image, JUMP * pitch, self.mixed, rng)
        normal = np.where(unlabelled.flat[rows][:, None], 0.0, normal)
        returned = rng.random(len(rows)) >= self.lost
        rows, normal = rows[returned], normal[returned]
        error = image_noise(image.shape, self.window if rng.random() < self.smooth else 0.0, rng)
        depth = self._disturbed(image.flat[rows], error.flat[rows], pitch, inverse)
        return eye + direction[rows] * (depth * stretch[rows])[:, None], normal

    def _disturbed(self, depth: np.ndarray, error: np.ndarray, pitch: float, inverse: bool) -> np.ndarray:
        """Depths (K,) with errors (K,) of unit variance, rounded; `pitch` is the distance of pixels at depth 1."""
        if len(depth) == 0:
            return depth
        middle = float(np.median(depth))
        depth = depth + self.noise * pitch * middle * (depth / middle) ** 2 * error
        step = self.rounding * pitch * middle
        return 1 / rounded(1 / depth, step / middle**2) if inverse else rounded(depth, step)


def image_noise(shape: tuple[int, ...], window: float, rng: np.random.Generator) -> np.ndarray:
    """Normal numbers of unit variance, (W, H), after a Gaussian filter of `window` pixels."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(rng.standard_normal(shape), window, mode="wrap")
    return np.asarray(noise / max(noise.std(), 1e-12))


def mixed(image: np.ndarray, jump: float, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An image (W, H) with mixed pixels, and their mask (W, H).

    A share of the pixels whose depth z differs by more than jump z from that of the next pixel in a row or column get a
    depth in between.
    """
    changed = np.zeros(image.shape, dtype=bool)
    if share == 0:
        return image, changed
    made = image.copy()
    for axis in (0, 1):
        following = np.roll(image, -1, axis)
        beside = np.abs(following - image) > jump * image  # False beside a pixel without depth
        beside[(-1, slice(None)) if axis == 0 else (slice(None), -1)] = False
        beside &= ~changed & (rng.random(image.shape) < share)
        made[beside] += rng.random(int(beside.sum())) * (following - image)[beside]
        changed |= beside
    return made, changed


def _rays(pixels: np.ndarray, axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit directions (M, 3) through pixels (M, 2) at depth 1, and their lengths (M,) up to there."""
    through = np.concatenate([pixels, np.ones((len(pixels), 1))], 1)
    stretch = np.linalg.norm(through, axis=1)
    return through @ axes / stretch[:, None], stretch
