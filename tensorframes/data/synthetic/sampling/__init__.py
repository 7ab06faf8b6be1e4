"""Samplings: how sensors and software choose the points of a cloud from a surface."""

from collections.abc import Mapping

from tensorframes.data.synthetic.sampling.airborne import AirborneScan
from tensorframes.data.synthetic.sampling.contours import ContourLines
from tensorframes.data.synthetic.sampling.depth import DepthImage
from tensorframes.data.synthetic.sampling.elevation import ElevationGrid
from tensorframes.data.synthetic.sampling.isosurface import IsosurfaceVertices
from tensorframes.data.synthetic.sampling.lidar import SpinningLidar
from tensorframes.data.synthetic.sampling.terrestrial import TerrestrialScan
from tensorframes.data.synthetic.sampling.vertices import MeshVertices
from tensorframes.data.synthetic.sampling.views import Sampling
from tensorframes.data.synthetic.sampling.voxels import VoxelFilter
from tensorframes.data.synthetic.shapes.scenes import Surface

SAMPLINGS: Mapping[str, Sampling] = {
    "elevation_grid": ElevationGrid(),
    "depth_image": DepthImage(),
    "coarse_elevation": ElevationGrid(rounding=(0.5, 5.0)),
    "coarse_depth": DepthImage(views=(1, 2), rounding=(0.5, 5.0), disparity=0.5),
    "isosurface_vertices": IsosurfaceVertices(),
    "mesh_vertices": MeshVertices(),
    "voxel_filter": VoxelFilter(),
    "spinning_lidar": SpinningLidar(),
    "terrestrial_scan": TerrestrialScan(),
    "contour_lines": ContourLines(),
    "airborne_scan": AirborneScan(),
    "multibeam_sonar": AirborneScan(
        strips=(1, 4),
        angle=(30.0, 65.0),
        zigzag=0.0,
        noise=(0.1, 1.5),
        line_noise=(0.0, 0.5),
        offset=(0.0, 0.5),
        plants=(0.0, 0.05),
        terrain=0.8,
        houses=0,
    ),
}
"""The samplings with their default ranges, by the categories of their clouds."""

__all__ = [
    "SAMPLINGS",
    "AirborneScan",
    "ContourLines",
    "DepthImage",
    "ElevationGrid",
    "IsosurfaceVertices",
    "MeshVertices",
    "Sampling",
    "SpinningLidar",
    "Surface",
    "TerrestrialScan",
    "VoxelFilter",
]
