"""Triangle meshes of surfaces, for vertices and contour lines."""

from tensorframes.data.synthetic.sampling.views import Surface
from tensorframes.data.synthetic.shapes.meshes import Mesh, polygonised
from tensorframes.data.synthetic.shapes.sampling import Implicit

COARSE, FINE = 64, 112
"""Samples of a field along each axis, for clouds of fewer than FEW points and for others."""

FEW = 6000


def triangulation(surface: Surface, count: int) -> Mesh:
    """The surface if it is a mesh, else a mesh of the zeros of its field, fine enough for `count` points.

    Raises:
        ValueError: the surface is empty, or neither a mesh nor that of a field.
    """
    if isinstance(surface, Mesh):
        return surface
    if isinstance(surface, Implicit):
        return polygonised(surface.field, COARSE if count < FEW else FINE)
    raise ValueError(f"expected a mesh or the zeros of a field, got {type(surface).__name__}")
