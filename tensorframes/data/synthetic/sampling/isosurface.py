"""Vertices of marching cubes."""

from dataclasses import dataclass

import numpy as np
import torch

from tensorframes.data.synthetic.sampling.views import Sample, Surface, check_count
from tensorframes.data.synthetic.shapes.meshes import cubes, projected
from tensorframes.data.synthetic.shapes.roots import evaluate, value_and_gradient
from tensorframes.data.synthetic.shapes.sampling import Implicit
from tensorframes.data.transforms.ranges import RandomParameters, Range

CLOSE = 1e-5
"""Largest |f| of a projected vertex."""


@dataclass(frozen=True)
class IsosurfaceVertices(RandomParameters):
    """Vertices of marching cubes on a grid of samples of the field, by linear interpolation along edges.

    Args:
        least, most: limits of the number of samples along the longest side.
        ratio: spacing along one axis divided by that along the others, as of slices of a volume.
    """

    least: int = 24
    most: int = 96
    ratio: Range = (1.0, 2.0)

    def sample(self, surface: Surface, count: int, rng: np.random.Generator) -> Sample:
        """About `count` points, and the normals of the field at their projections onto the surface.

        Raises:
            ValueError: the surface is empty or not that of a field.
        """
        if not isinstance(surface, Implicit):
            raise ValueError(f"expected the zeros of a field, got {type(surface).__name__}")
        settings = self.draw(rng)
        ratio = np.ones(3)
        ratio[rng.integers(3)] = settings.ratio
        probe = cubes(surface.field, 24 / ratio)[0]
        check_count(len(probe))
        resolution = np.clip(24 * (count / len(probe)) ** 0.5, settings.least, settings.most)
        pos = cubes(surface.field, resolution / ratio)[0]
        check_count(len(pos))
        foot = projected(surface.field, torch.from_numpy(pos))
        value, gradient = value_and_gradient(surface.field, foot)
        size = gradient.norm(dim=1)
        good = (value.abs() < CLOSE) & (size > 1e-3)
        if surface.region is not None:
            good &= evaluate(surface.region, foot) < 0
        check_count(int(good.sum()))
        return pos[good.numpy()], (gradient[good] / size[good, None]).numpy()
