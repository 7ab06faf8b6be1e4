"""Coordinates on a coarse grid."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from tensorframes.data.ranges import Drawable, Range
from tensorframes.data.scales import sampled_scale
from tensorframes.data.transforms.corruption.corrupted import Corrupted, rounded

EIGHTH = 1.6
"""The distance to the 8th neighbour, in spacings: on an even surface pi EIGHTH^2 = 8 points lie within it."""


@dataclass(frozen=True)
class Quantised(Drawable):
    """Coordinates rounded to multiples of a step. Points that become equal stay.

    Args:
        diagonal: the step, a fraction of the diagonal of the bounding box.
        spacing: the step, a fraction of the spacing of the points.
        by_spacing: probability that the second holds, not the first.
    """

    diagonal: Range = (1e-4, 4e-3)
    spacing: Range = (0.05, 0.5)
    by_spacing: float = 0.5

    @property
    def noise(self) -> float:
        """0."""
        return 0.0

    def draw(self, rng: np.random.Generator, sampled: bool = False) -> Self:
        """One step."""
        return super().draw(rng)

    def corrupted(self, pos: np.ndarray, length: float, rng: np.random.Generator) -> Corrupted:
        """Rounded positions, all rows."""
        step = self.diagonal * length
        if rng.random() < self.by_spacing:
            step = self.spacing * sampled_scale(pos, rng) / EIGHTH
        return Corrupted(rounded(pos.astype(np.float64), step).astype(np.float32), np.arange(len(pos)))
