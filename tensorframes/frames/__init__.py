"""Local frames, and the modules that find them."""

from tensorframes.frames.finder import FrameFinder
from tensorframes.frames.fixed import IdentityFrames, RandomGlobalFrames, RandomLocalFrames
from tensorframes.frames.frames import Frames
from tensorframes.frames.learned import GravityFrames, LearnedFrames
from tensorframes.frames.local import NearestNeighbourFrames, PCAFrames
from tensorframes.frames.orthonormalise import complete_frames, last_axis
from tensorframes.frames.refinement import FrameRefinement
from tensorframes.frames.vector_frames import VectorFrames
from tensorframes.frames.vectors import EquivariantVectors, cloud_vectors

__all__ = [
    "EquivariantVectors",
    "FrameFinder",
    "FrameRefinement",
    "Frames",
    "GravityFrames",
    "IdentityFrames",
    "LearnedFrames",
    "NearestNeighbourFrames",
    "PCAFrames",
    "RandomGlobalFrames",
    "RandomLocalFrames",
    "VectorFrames",
    "cloud_vectors",
    "complete_frames",
    "last_axis",
]
