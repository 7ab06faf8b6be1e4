"""Velodyne scans of KITTI: float32 rows x, y, z, reflectance, without a header.

Source: Geiger, Lenz, Stiller and Urtasun, *Vision meets robotics: the KITTI dataset*, IJRR 2013.
"""

from pathlib import Path

import numpy as np

from tensorframes.data.io.columns import Columns
from tensorframes.data.io.format import ReadOnly

ROW = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("reflectance", "<f4")])


class KittiFormat(ReadOnly):
    """Other rows, such as the five numbers of nuScenes, are recognised by the size, or by a reflectance that is
    negative or, beside a number, not finite."""

    name = "KITTI"
    suffixes = (".bin",)
    refusal = "a KITTI scan has four numbers a point and no place for normals; choose .ply, .pcd or .npy"

    def read(self, path: Path, content: bytes) -> Columns:
        """The points of a scan."""
        if len(content) % ROW.itemsize:
            raise ValueError(f"{len(content)} bytes, no multiple of {ROW.itemsize} (float32 x, y, z, reflectance)")
        table = np.frombuffer(content, ROW)
        right = np.isfinite(table["reflectance"]) & (table["reflectance"] >= 0)
        void = np.isnan(np.frombuffer(content, "<f4").reshape(-1, 4)).all(axis=1)
        wrong = ~(right | void) if right.any() else ~right
        if wrong.any():
            raise ValueError(f"a reflectance of {table['reflectance'][wrong][0]:g}: the rows are not of four float32")
        return Columns(table, None, ".bin", sensor=np.zeros(3))
