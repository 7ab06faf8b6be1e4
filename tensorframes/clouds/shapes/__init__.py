"""The embedded data set of generated shapes."""

from tensorframes.clouds.shapes.dataset import Shapes, make_shape

__all__ = ["Shapes", "make_shape"]
