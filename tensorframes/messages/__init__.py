"""Message passing between local frames: from the sender's frame into the receiver's."""

from tensorframes.messages.aggregation import FixedDegree, Pooling, pooled
from tensorframes.messages.interpolation import FrameInterpolation
from tensorframes.messages.kinds import IrrepMessages, Messages, ScalarMessages, TensorMessages
from tensorframes.messages.networks import LocalFramesNetwork, in_local_frames
from tensorframes.messages.refusal import refusal
from tensorframes.messages.tensorial import TensorialMessagePassing
from tensorframes.messages.transport import local_edge_vectors, transport
from tensorframes.messages.wrap import InLocalFrames

__all__ = [
    "FixedDegree",
    "FrameInterpolation",
    "InLocalFrames",
    "IrrepMessages",
    "LocalFramesNetwork",
    "Messages",
    "Pooling",
    "ScalarMessages",
    "TensorMessages",
    "TensorialMessagePassing",
    "in_local_frames",
    "local_edge_vectors",
    "pooled",
    "refusal",
    "transport",
]
