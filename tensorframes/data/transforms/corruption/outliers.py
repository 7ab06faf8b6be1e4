"""Outliers: points that lie on no surface."""

from dataclasses import dataclass

import numpy as np

from tensorframes.data.transforms.corruption.corrupted import CorruptedPoints, Noiseless
from tensorframes.data.transforms.ranges import Range

MARGIN = 0.05
"""Margin of the outliers' box around the bounding box, a fraction of its longest side."""

SIGMA = (0.002, 0.05)
"""Standard deviation of a cluster, a fraction of the diagonal of the bounding box."""

CLUSTER = (5, 200)
"""Range of the mean number of outliers in a cluster, sampled uniformly in the logarithm."""


@dataclass(frozen=True)
class Outliers(Noiseless):
    """Adds points off the surface, in random order among the others: uniform in a box, and in Gaussian clusters.

    Args:
        share: number of outliers, a fraction of the number of points.
        clustered: share of the outliers that are in clusters.
    """

    shares = ("clustered",)

    share: Range = (0.001, 0.1)
    clustered: Range = (0.0, 1.0)

    def corrupt(self, pos: np.ndarray, length: float, rng: np.random.Generator) -> CorruptedPoints:
        """All points and the outliers, whose rows are -1, in random order."""
        count = max(1, round(self.share * len(pos)))
        low, high = pos.min(0).astype(np.float64), pos.max(0).astype(np.float64)
        margin = MARGIN * (high - low).max()
        far = rng.uniform(low - margin, high + margin, (count, 3))
        in_clusters = round(self.clustered * count)
        if in_clusters:
            clusters = max(1, round(in_clusters / np.exp(rng.uniform(*np.log(CLUSTER)))))
            which = rng.integers(clusters, size=in_clusters)
            sigma = length * np.exp(rng.uniform(np.log(SIGMA[0]), np.log(SIGMA[1]), clusters))
            centres = rng.uniform(low - margin, high + margin, (clusters, 3))
            far[:in_clusters] = centres[which] + sigma[which, None] * rng.standard_normal((in_clusters, 3))
        rows = np.concatenate([np.arange(len(pos)), np.full(count, -1)])
        order = rng.permutation(len(rows))
        return CorruptedPoints(np.concatenate([pos, far.astype(np.float32)])[order], rows[order])
