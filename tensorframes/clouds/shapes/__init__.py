"""The embedded data set of generated shapes."""

from tensorframes.clouds.shapes.dataset import Shapes
from tensorframes.clouds.shapes.export import write_pcpnet
from tensorframes.clouds.shapes.making import make_shape

__all__ = ["Shapes", "make_shape", "write_pcpnet"]
