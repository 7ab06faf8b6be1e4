"""Normals of point clouds by message passing between local frames, with tensors as messages.

The public names are loaded when first used, so that importing the package costs little more than importing torch.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from tensorframes.lazy import lazy_names

if TYPE_CHECKING:
    from tensorframes.frames import Frames, IdentityFrames, LearnedFrames
    from tensorframes.geometry import knn_graph
    from tensorframes.messages import InLocalFrames, TensorialMessagePassing, in_local_frames
    from tensorframes.normals import (
        NormalEstimator,
        estimate_normals,
        normals_and_confidence,
        orient_normals,
        sensor_position,
    )
    from tensorframes.reps import TensorReps

try:
    __version__ = version("tensorframes")
except PackageNotFoundError:  # a checkout on the path that was never installed
    __version__ = "0+unknown"

_PACKAGE_OF = {
    "Frames": "frames",
    "IdentityFrames": "frames",
    "InLocalFrames": "messages",
    "LearnedFrames": "frames",
    "NormalEstimator": "normals",
    "TensorReps": "reps",
    "TensorialMessagePassing": "messages",
    "estimate_normals": "normals",
    "in_local_frames": "messages",
    "knn_graph": "geometry",
    "normals_and_confidence": "normals",
    "orient_normals": "normals",
    "sensor_position": "normals",
}

__all__ = [
    "Frames",
    "IdentityFrames",
    "InLocalFrames",
    "LearnedFrames",
    "NormalEstimator",
    "TensorReps",
    "TensorialMessagePassing",
    "estimate_normals",
    "in_local_frames",
    "knn_graph",
    "normals_and_confidence",
    "orient_normals",
    "sensor_position",
]

__getattr__, __dir__ = lazy_names(__name__, _PACKAGE_OF)
