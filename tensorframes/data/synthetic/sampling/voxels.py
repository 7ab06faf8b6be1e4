"""Voxel grid filters."""

from dataclasses import dataclass

import numpy as np

from tensorframes.data.synthetic.sampling.views import Sample, Surface
from tensorframes.data.transforms.ranges import RandomParameters, Range

POINTS = ("first", "centroid", "centre")
PROBABILITIES = (0.45, 0.45, 0.1)
"""Representative points of a voxel, and their probabilities."""

MOST = 200_000
"""Upper limit of the dense points."""


@dataclass(frozen=True)
class VoxelFilter(RandomParameters):
    """Dense uniform points, reduced to one point per voxel.

    Args:
        dense: dense points per voxel.
        noise: standard deviation of the dense points along the three axes, in voxels.
        point: the point of a voxel: its first point, its centroid or its centre, the latter two with the normal of the
            nearest dense point; any: one of these at random, with PROBABILITIES.
    """

    dense: Range = (2.0, 8.0)
    noise: Range = (0.0, 0.3)
    point: str = "any"

    def __post_init__(self) -> None:
        if self.point not in ("any", *POINTS):
            raise ValueError(f"expected a point of any, {', '.join(POINTS)}, got {self.point!r}")
        super().__post_init__()

    def sample(self, surface: Surface, count: int, rng: np.random.Generator) -> Sample:
        """About `count` points and their normals."""
        from scipy.spatial import cKDTree

        settings = self.draw(rng)
        pos, normal = surface.sample(max(count, min(round(settings.dense * count), MOST)), rng)
        side = float(np.ptp(pos, axis=0).max()) / count**0.5
        for _ in range(4):
            side *= (len(np.unique(_voxels(pos, side), axis=0)) / count) ** 0.5
        pos = pos + settings.noise * side * rng.standard_normal(pos.shape)
        voxels, first, voxel = np.unique(_voxels(pos, side), axis=0, return_index=True, return_inverse=True)
        point = POINTS[int(rng.choice(3, p=PROBABILITIES))] if settings.point == "any" else settings.point
        if point == "first":
            rows = np.sort(first)
            return pos[rows], normal[rows]
        if point == "centre":
            middle = (voxels + 0.5) * side
        else:
            members = np.bincount(voxel.ravel())
            middle = np.stack([np.bincount(voxel.ravel(), column) for column in pos.T], 1) / members[:, None]
        return middle, normal[cKDTree(pos).query(middle)[1]]


def _voxels(pos: np.ndarray, side: float) -> np.ndarray:
    return np.floor(pos / side).astype(np.int64)
