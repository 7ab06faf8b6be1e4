"""Ways in which the points of a cloud are chosen from a surface: as sensors and software do it."""

from collections.abc import Mapping

from tensorframes.clouds.sampling.contours import ContourLines
from tensorframes.clouds.sampling.depth import DepthImage
from tensorframes.clouds.sampling.elevation import ElevationGrid
from tensorframes.clouds.sampling.isosurface import IsosurfaceVertices
from tensorframes.clouds.sampling.lidar import SpinningLidar
from tensorframes.clouds.sampling.terrestrial import TerrestrialScan
from tensorframes.clouds.sampling.vertices import MeshVertices
from tensorframes.clouds.sampling.views import Sampling, Surface
from tensorframes.clouds.sampling.voxels import VoxelFilter

SAMPLINGS: Mapping[str, Sampling] = {
    "elevation_grid": ElevationGrid(),
    "depth_image": DepthImage(),
    "isosurface_vertices": IsosurfaceVertices(),
    "mesh_vertices": MeshVertices(),
    "voxel_filter": VoxelFilter(),
    "spinning_lidar": SpinningLidar(),
    "terrestrial_scan": TerrestrialScan(),
    "contour_lines": ContourLines(),
}
"""All ways with all their ranges, by the categories of their clouds."""

__all__ = [
    "SAMPLINGS",
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
