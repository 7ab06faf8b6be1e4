"""Clouds thinned by a voxel grid."""

from dataclasses import dataclass

import numpy as np

from tensorframes.clouds.ranges import Drawable, Range
from tensorframes.clouds.sampling.views import Sample, Surface



@dataclass(frozen=True)
class VoxelFilter(Drawable):
    """Dense uniform points, one kept for each voxel.

    Args:
        dense: dense points for each one that is kept.
        noise: standard deviation of the dense points along the three axes, in voxels.
        centroids: probability that a voxel's centroid is kept, with the normal of the dense point nearest to it;
            otherwise its first point is.
    """

    dense: Range = (3.0, 12.0)
    noise: Range = (0.0, 0.3)
    centroids: float = 0.5

    def sample(self, surface: Surface, count: int, rng: np.random.Generator) -> Sample:
        """About `count` points and their normals."""
        from scipy.spatial import cKDTree

        way = self.draw(rng)
        pos, normal = surface.sample(round(way.dense * count), rng)
        side = float(np.ptp(pos, axis=0).max()) / count**0.5
        for _ in range(4):
            side *= (len(np.unique(_voxels(pos, side), axis=0)) / count) ** 0.5
        pos = pos + way.noise * side * rng.standard_normal(pos.shape)
        _, first, voxel = np.unique(_voxels(pos, side), axis=0, return_index=True, return_inverse=True)
        if rng.random() >= way.centroids:
            rows = np.sort(first)
            return pos[rows], normal[rows]
        members = np.bincount(voxel.ravel())
        middle = np.stack([np.bincount(voxel.ravel(), column) for column in pos.T], 1) / members[:, None]
        return middle, normal[cKDTree(pos).query(middle)[1]]


def _voxels(pos: np.ndarray, side: float) -> np.ndarray:
    return np.floor(pos / side).astype(np.int64)
