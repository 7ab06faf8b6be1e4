"""How a feature travels: from the sender's frame into the receiver's."""

from tensorframes.messages.aggregation import FixedDegree
from tensorframes.messages.interpolation import FrameInterpolation
from tensorframes.messages.kinds import Messages, ScalarMessages, TensorMessages
from tensorframes.messages.tensorial import TensorialMessagePassing
from tensorframes.messages.transport import local_edge_vectors, transport

__all__ = [
    "FixedDegree",
    "FrameInterpolation",
    "Messages",
    "ScalarMessages",
    "TensorMessages",
    "TensorialMessagePassing",
    "local_edge_vectors",
    "transport",
]
