"""Ways in which the points of a cloud are chosen from a surface: as sensors and software do it."""

from tensorframes.clouds.sampling.contours import ContourLines
from tensorframes.clouds.sampling.depth import DepthImage
from tensorframes.clouds.sampling.elevation import ElevationGrid
from tensorframes.clouds.sampling.isosurface import IsosurfaceVertices
from tensorframes.clouds.sampling.lidar import SpinningLidar
from tensorframes.clouds.sampling.terrestrial import TerrestrialScan
from tensorframes.clouds.sampling.vertices import MeshVertices
from tensorframes.clouds.sampling.views import Sampling, Surface
from tensorframes.clouds.sampling.voxels import VoxelFilter

__all__ = [
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
