"""Coordinates rounded to a coarse grid."""

from dataclasses import dataclass

import numpy as np

from tensorframes.data.transforms.corruption.corrupted import CorruptedPoints, Noiseless, rounded
from tensorframes.data.transforms.ranges import Range
from tensorframes.data.transforms.scales import estimated_scale

EIGHTH = 1.6
"""Distance to the 8th neighbour in spacings on an evenly sampled surface: pi EIGHTH^2 = 8 points lie within it."""


@dataclass(frozen=True)
class Quantised(Noiseless):
    """Rounds coordinates to multiples of a step. Points that become equal are all kept.

    Args:
        diagonal: the step, a fraction of the diagonal of the bounding box.
        spacing: the step, a fraction of the spacing of the points.
        by_spacing: probability that the step is `spacing`, not `diagonal`.
    """

    shares = ("by_spacing",)

    diagonal: Range = (1e-4, 4e-3)
    spacing: Range = (0.05, 0.5)
    by_spacing: float = 0.5

    def corrupt(self, pos: np.ndarray, length: float, rng: np.random.Generator) -> CorruptedPoints:
        """All points, rounded."""
        step = self.diagonal * length
        if rng.random() < self.by_spacing:
            step = self.spacing * estimated_scale(pos, rng) / EIGHTH
        return CorruptedPoints(rounded(pos.astype(np.float64), step).astype(np.float32), np.arange(len(pos)))
