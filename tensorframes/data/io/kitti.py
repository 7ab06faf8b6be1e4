"""LiDAR scans of KITTI and nuScenes: float32 rows x, y, z, reflectance (and ring), without a header.

Source: Geiger, Lenz, Stiller and Urtasun, *Vision meets robotics: the KITTI dataset*, IJRR 2013; Caesar et al.,
*nuScenes: a multimodal dataset for autonomous driving*, CVPR 2020.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.columns import Columns
from tensorframes.data.io.format import ReadOnly
from tensorframes.data.io.types import in_range

NAMES = ("x", "y", "z", "reflectance", "ring")
"""Those of nuScenes; KITTI's are the first four."""


class KittiFormat(ReadOnly):
    """Other rows are recognised by the size, or by a reflectance that is negative or, beside a number, not finite.

    Rows are nuScenes' if they are not KITTI's, and the ring, the number of the laser, is whole and below 256.
    """

    name = "KITTI"
    suffixes = (".bin",)
    refusal = "a KITTI scan has four numbers a point and no place for normals; choose .ply, .pcd or .npy"

    def read(self, path: Path, content: bytes) -> Columns:
        """The points of a scan."""
        table = _table(content, 4)
        rings = _table(content, 5)
        if (table is None or _wrong(table).any()) and rings is not None and _are_of_nuscenes(rings):
            table = rings
        if table is None:
            raise ValueError(f"{len(content)} bytes, no multiple of 16 (float32 x, y, z, reflectance)")
        if (wrong := _wrong(table)).any():
            raise ValueError(f"a reflectance of {table['reflectance'][wrong][0]:g}: the rows are not of four float32")
        return Columns(table, None, ".bin", sensor=np.zeros(3))


def _table(content: bytes, count: int) -> NDArray | None:
    """Rows of so many numbers; None if the size is no multiple of theirs."""
    kind = np.dtype([(name, "<f4") for name in NAMES[:count]])
    return None if len(content) % kind.itemsize else np.frombuffer(content, kind)


def _wrong(table: NDArray) -> NDArray:
    """(N,) which reflectances are none."""
    reflectance = table["reflectance"]
    right = np.isfinite(reflectance) & (reflectance >= 0)
    void = np.isnan(table.view("<f4").reshape(len(table), -1)).all(axis=1)
    return ~(right | void) if right.any() else ~right


def _are_of_nuscenes(table: NDArray) -> bool:
    """Whether rows end with the number of a laser; in zeros nothing tells."""
    ring = table["ring"].astype(np.float64)
    return not _wrong(table).any() and in_range("u1", ring) and bool(ring.any())
