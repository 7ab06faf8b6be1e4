"""Generated surfaces with exact normals, and the samplings of sensors and software."""

from tensorframes.data.synthetic.dataset import Shapes
from tensorframes.data.synthetic.export import write_pcpnet
from tensorframes.data.synthetic.making import make_shape
from tensorframes.data.synthetic.sampling import (
    SAMPLINGS,
    AirborneScan,
    ContourLines,
    DepthImage,
    ElevationGrid,
    IsosurfaceVertices,
    MeshVertices,
    Sampling,
    SpinningLidar,
    TerrestrialScan,
    VoxelFilter,
)

__all__ = [
    "SAMPLINGS",
    "AirborneScan",
    "ContourLines",
    "DepthImage",
    "ElevationGrid",
    "IsosurfaceVertices",
    "MeshVertices",
    "Sampling",
    "Shapes",
    "SpinningLidar",
    "TerrestrialScan",
    "VoxelFilter",
    "make_shape",
    "write_pcpnet",
]
