"""Clouds of few points."""

from dataclasses import dataclass

import numpy as np

from tensorframes.data.transforms.corruption.corrupted import CorruptedPoints, Noiseless
from tensorframes.data.transforms.ranges import Range


@dataclass(frozen=True)
class FewPoints(Noiseless):
    """Keeps random points of the cloud, all where it has no more.

    Args:
        points: number of points that are kept, at least 1.

    Raises:
        ValueError: a number of points below 1.
    """

    points: Range = (100.0, 5000.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        low = self.points if isinstance(self.points, int | float) else self.points[0]
        if low < 1:
            raise ValueError(f"expected points of at least 1, got {self.points}")

    def corrupt(self, pos: np.ndarray, length: float, rng: np.random.Generator) -> CorruptedPoints:
        """The kept points, in their order."""
        rows = np.sort(rng.permutation(len(pos))[: round(self.points)])
        return CorruptedPoints(pos[rows], rows)
