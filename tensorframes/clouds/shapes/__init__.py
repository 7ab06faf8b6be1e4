"""The embedded data set of generated shapes."""

from tensorframes.clouds.shapes.dataset import Shapes, make_shape
from tensorframes.clouds.shapes.export import write_pcpnet

__all__ = ["Shapes", "make_shape", "write_pcpnet"]
