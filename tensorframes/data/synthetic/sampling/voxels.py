"""Clouds thinned by a voxel grid."""

from dataclasses import dataclass

import numpy as np

from tensorframes.data.synthetic.sampling.views import Sample, Surface
from tensorframes.data.transforms.ranges import RandomParameters, Range

KEPT = ("first", "centroid", "centre")
OFTEN = (0.45, 0.45, 0.1)
"""What may be kept of a voxel, and how often it is."""

MOST = 200_000


@dataclass(frozen=True)
class VoxelFilter(RandomParameters):
    """Dense uniform points, one kept for each voxel.

    Args:
        dense: dense points for each one that is kept, MOST at most.
        noise: standard deviation of the dense points along the three axes, in voxels.
        kept: what is kept of a voxel: its first point, its centroid or its centre, these with the normal of the
            dense point nearest to them; any: the first two equally often, the centre seldom.
    """

    dense: Range = (2.0, 8.0)
    noise: Range = (0.0, 0.3)
    kept: str = "any"

    def __post_init__(self) -> None:
        if self.kept not in ("any", *KEPT):
            raise ValueError(f"expected any, {', '.join(KEPT)} of a voxel to be kept, got {self.kept!r}")
        super().__post_init__()

    def sample(self, surface: Surface, count: int, rng: np.random.Generator) -> Sample:
        """About `count` points and their normals."""
        from scipy.spatial import cKDTree

        way = self.draw(rng)
        pos, normal = surface.sample(max(count, min(round(way.dense * count), MOST)), rng)
        side = float(np.ptp(pos, axis=0).max()) / count**0.5
        for _ in range(4):
            side *= (len(np.unique(_voxels(pos, side), axis=0)) / count) ** 0.5
        pos = pos + way.noise * side * rng.standard_normal(pos.shape)
        voxels, first, voxel = np.unique(_voxels(pos, side), axis=0, return_index=True, return_inverse=True)
        kept = KEPT[int(rng.choice(3, p=OFTEN))] if way.kept == "any" else way.kept
        if kept == "first":
            rows = np.sort(first)
            return pos[rows], normal[rows]
        if kept == "centre":
            middle = (voxels + 0.5) * side
        else:
            members = np.bincount(voxel.ravel())
            middle = np.stack([np.bincount(voxel.ravel(), column) for column in pos.T], 1) / members[:, None]
        return middle, normal[cKDTree(pos).query(middle)[1]]


def _voxels(pos: np.ndarray, side: float) -> np.ndarray:
    return np.floor(pos / side).astype(np.int64)
