"""Points that lie on no surface."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from tensorframes.data.ranges import Drawable, Range
from tensorframes.data.transforms.corruption.corrupted import Corrupted

MARGIN = 0.05
"""How far the box that outliers lie in reaches beyond the bounding box, a fraction of its longest side."""

SIGMA = (0.002, 0.05)
"""Standard deviation of a cluster, a fraction of the diagonal of the bounding box."""

CLUSTER = (5, 200)
"""Outliers of a cluster on average, evenly in the logarithm."""


@dataclass(frozen=True)
class Outliers(Drawable):
    """Points beside the surface, in a random order among the others: uniform in a box, and in Gaussian clusters.

    Args:
        share: number of outliers, a fraction of the other points.
        clustered: part of them in clusters.
    """

    share: Range = (0.001, 0.1)
    clustered: Range = (0.0, 1.0)

    @property
    def noise(self) -> float:
        """0."""
        return 0.0

    def draw(self, rng: np.random.Generator, sampled: bool = False) -> Self:
        """A number of outliers."""
        return super().draw(rng)

    def corrupted(self, pos: np.ndarray, length: float, rng: np.random.Generator) -> Corrupted:
        """The positions with outliers among them, whose rows are -1."""
        count = max(1, round(self.share * len(pos)))
        low, high = pos.min(0).astype(np.float64), pos.max(0).astype(np.float64)
        margin = MARGIN * (high - low).max()
        far = rng.uniform(low - margin, high + margin, (count, 3))
        crowd = round(self.clustered * count)
        if crowd:
            clusters = max(1, round(crowd / np.exp(rng.uniform(*np.log(CLUSTER)))))
            which = rng.integers(clusters, size=crowd)
            sigma = length * np.exp(rng.uniform(*np.log(SIGMA), clusters))
            middle = rng.uniform(low - margin, high + margin, (clusters, 3))
            far[:crowd] = middle[which] + sigma[which, None] * rng.standard_normal((crowd, 3))
        rows = np.concatenate([np.arange(len(pos)), np.full(count, -1)])
        order = rng.permutation(len(rows))
        return Corrupted(np.concatenate([pos, far.astype(np.float32)])[order], rows[order])
