"""The embedded data set of generated shapes."""

from tensorframes.data.synthetic.shapes.dataset import Shapes
from tensorframes.data.synthetic.shapes.export import write_pcpnet
from tensorframes.data.synthetic.shapes.making import make_shape

__all__ = ["Shapes", "make_shape", "write_pcpnet"]
