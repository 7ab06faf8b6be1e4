"""Ways in which the points of a cloud are chosen from a surface: as sensors and software do it."""

from collections.abc import Mapping

from tensorframes.data.synthetic.sampling.contours import ContourLines
from tensorframes.data.synthetic.sampling.depth import DepthImage
from tensorframes.data.synthetic.sampling.elevation import ElevationGrid
from tensorframes.data.synthetic.sampling.isosurface import IsosurfaceVertices
from tensorframes.data.synthetic.sampling.lidar import SpinningLidar
from tensorframes.data.synthetic.sampling.terrestrial import TerrestrialScan
from tensorframes.data.synthetic.sampling.vertices import MeshVertices
from tensorframes.data.synthetic.sampling.views import Sampling, Surface
from tensorframes.data.synthetic.sampling.voxels import VoxelFilter

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
