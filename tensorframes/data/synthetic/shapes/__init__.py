"""Random surfaces: implicit fields, meshes and scenes, their uniform sampling and ray casting."""

from tensorframes.data.synthetic.shapes.kinds import KINDS
from tensorframes.data.synthetic.shapes.meshes import Mesh
from tensorframes.data.synthetic.shapes.sampling import Implicit
from tensorframes.data.synthetic.shapes.scenes import Casts, Surface

__all__ = ["KINDS", "Casts", "Implicit", "Mesh", "Surface"]
