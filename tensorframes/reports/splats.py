"""Rendering of clouds on the CPU: points as small discs with hidden surface removal."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SUPERSAMPLING = 2  # factor of the resolution before averaging, against aliasing
CHUNK = 2_000_000  # pixels tested at once
LIGHT = (-0.45, 0.65, 0.65)  # direction towards the light: left of, above and behind the viewer


class View(NamedTuple):
    """The direction of view."""

    azimuth: float  # degrees about the vertical
    elevation: float = 18.0  # degrees above the horizon
    up: int = 1  # the axis of the file that points up

    def matrix(self) -> Floats:
        """Rotation (3, 3) to the axes right, up, and towards the viewer."""
        a, e = np.radians(self.azimuth), np.radians(self.elevation)
        upright = np.roll(np.eye(3), 1 - self.up, axis=0)  # rows: the file's axes that become x, y (up), z
        turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
        tilt = np.array([[1, 0, 0], [0, np.cos(e), -np.sin(e)], [0, np.sin(e), np.cos(e)]])
        return tilt @ turn @ upright


def best_view(pos: NDArray, elevation: float = 18.0, up: int = 1) -> View:
    """The first of twelve views around the vertical whose covered area is at least 3/4 of the largest.

    This is mostly the first one, so that variants of a shape have the same view. None is along an axis, where boxes
    look flat.
    """
    views = [View(azimuth, elevation, up) for azimuth in range(-35, 325, 30)]
    area = [covered(pos, view) for view in views]
    return next(view for view, here in zip(views, area, strict=True) if here >= 0.75 * max(area))


def covered(pos: NDArray, view: View, cells: int = 24) -> int:
    """Number of cells of a raster over the cloud's bounding ball that contain points."""
    flat = framed(pos, view)[:, :2]
    return len(np.unique((flat * cells / 2).astype(int) @ [1, 4 * cells]))


def framed(pos: NDArray, view: View) -> Floats:
    """Points (N, 3) in the viewer's axes, centred and scaled so that the bounding box's diagonal is 2."""
    centred = pos.astype(np.float64) - (pos.min(axis=0) + pos.max(axis=0)) / 2
    size = np.linalg.norm(np.ptp(centred, axis=0)) / 2
    return (centred / (size if size > 0 else 1.0)) @ view.matrix().T


def draw(pos: NDArray, colour: NDArray, normal: NDArray | None, view: View, pixels: int = 480) -> Floats:
    """Image of a cloud, (H, W, 4) in [0, 1], with alpha, cropped to the covered area.

    Each point is a disc perpendicular to its normal, large enough to touch its neighbours; nearer discs hide farther
    ones. Colours are shaded by the angle to the light, with normals oriented towards the viewer, and darkened at
    discontinuities of depth.

    Args:
        pos: (N, 3) positions.
        colour: (N, 3) red, green and blue in [0, 1].
        normal: (N, 3) unit normals for discs and shading; None: discs that face the viewer, without shading.
        view: direction of view.
        pixels: diagonal of the bounding box in pixels.
    """
    viewed = framed(pos, view)
    facing = np.tile([0.0, 0.0, 1.0], (len(pos), 1)) if normal is None else normal.astype(np.float64) @ view.matrix().T
    facing = facing * np.where(facing[:, 2:] < 0, -1.0, 1.0)
    large = pixels * SUPERSAMPLING
    margin = 9 * SUPERSAMPLING  # the largest radius of a disc
    low = np.floor((viewed[:, :2].min(axis=0) + 1) * large / 2).astype(int) - margin
    high = np.ceil((viewed[:, :2].max(axis=0) + 1) * large / 2).astype(int) + margin
    shape = -(-(high - low) // SUPERSAMPLING) * SUPERSAMPLING
    centre = (viewed[:, :2] + 1) * large / 2 - low
    index = splatted(centre, viewed[:, 2], facing, spacing(viewed) * large / 2, shape)
    lit = colour if normal is None else shaded(colour, facing)
    image = np.zeros((*index.shape, 4))
    image[index >= 0, :3] = lit[index[index >= 0]]
    image[..., 3] = index >= 0
    depth = np.where(index >= 0, viewed[index, 2], -1.2)
    image[..., :3] *= outlined(depth)[..., None]
    return averaged(image)[::-1]


def spacing(pos: Floats, k: int = 8) -> Floats:
    """Radius (N,) of each point's disc: the distance to its k-th neighbour, at most 2.5 times the median of these.

    A ray misses discs with n points in their area on average with probability exp(-n): 1 in 3000 for k = 8.
    """
    from scipy.spatial import cKDTree

    distance = cKDTree(pos).query(pos, k=[min(k, len(pos))])[0][:, 0]
    return np.minimum(distance, 2.5 * np.median(distance))


def splatted(centre: Floats, depth: Floats, facing: Floats, radius: Floats, shape: NDArray) -> NDArray[np.int64]:
    """Index of the point that each pixel (H, W) shows, the nearest of the discs that cover it; -1 for none."""
    order = np.argsort(depth, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    nearest = np.full(shape[0] * shape[1], -1, dtype=np.int64)
    reach = np.clip(np.ceil(radius), SUPERSAMPLING, 8 * SUPERSAMPLING).astype(int)
    for size in np.unique(reach):
        members = np.flatnonzero(reach == size)
        for rows in np.array_split(members, -(-len(members) * (2 * size + 1) ** 2 // CHUNK)):
            pixel, point = covered_pixels(
                centre[rows], facing[rows], np.clip(radius[rows], 0.8 * SUPERSAMPLING, size), size
            )
            np.maximum.at(nearest, pixel @ [1, shape[0]], rank[rows[point]])
    return np.where(nearest >= 0, order[nearest], -1).reshape(shape[1], shape[0])


def covered_pixels(centre: Floats, facing: Floats, radius: Floats, reach: int) -> tuple[NDArray, NDArray]:
    """Pixels (F, 2) covered by discs with normals `facing` (B, 3), within `reach` of their centres (B, 2), and the
    index of the disc of each (F,)."""
    step = np.arange(-reach, reach + 1)
    offset = np.stack(np.meshgrid(step, step), axis=-1).reshape(-1, 2)
    tilt = np.maximum(facing[:, 2:], 0.25)  # a disc viewed edge-on has some width
    rise = facing[:, :2] @ offset.T / tilt
    point, at = np.nonzero((offset**2).sum(axis=1) + rise**2 <= radius[:, None] ** 2)
    return np.round(centre[point]).astype(int) + offset[at], point


def shaded(colour: NDArray, facing: Floats) -> Floats:
    """Colours (N, 3) under a soft light."""
    light = np.array(LIGHT) / np.linalg.norm(LIGHT)
    return colour * (0.62 + 0.38 * np.clip(facing @ light, 0, 1))[:, None]


def outlined(depth: Floats, strength: float = 2.2, width: int = SUPERSAMPLING) -> Floats:
    """Brightness (H, W) in (0, 1]: lower where a neighbouring pixel is nearer to the viewer.

    Boucheny: "Interactive Scientific Visualization of Large Datasets", 2009 (eye-dome lighting).
    """
    steps = [(0, width), (0, -width), (width, 0), (-width, 0)]
    nearer = sum(np.clip(np.roll(depth, step, axis=(0, 1)) - depth - 0.012, 0, 0.12) for step in steps)
    return np.exp(-strength * nearer)


def averaged(image: Floats) -> Floats:
    """(H s, W s, 4) -> (H, W, 4): means of s x s pixels, colours weighted by alpha."""
    height, width = (side // SUPERSAMPLING for side in image.shape[:2])
    blocks = image.reshape(height, SUPERSAMPLING, width, SUPERSAMPLING, 4)
    alpha = blocks[..., 3].mean(axis=(1, 3))
    summed = (blocks[..., :3] * blocks[..., 3:]).mean(axis=(1, 3))
    return np.dstack([summed / np.where(alpha > 0, alpha, 1.0)[..., None], alpha])
