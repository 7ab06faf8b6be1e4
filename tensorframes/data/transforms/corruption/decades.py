"""Density over two to three decades."""

from dataclasses import dataclass

import numpy as np

from tensorframes.data.transforms.corruption.corrupted import CorruptedPoints, Noiseless
from tensorframes.data.transforms.ranges import Range

PATTERNS = ("axis", "radial", "points")


@dataclass(frozen=True)
class DecadesDensity(Noiseless):
    """Keeps each point with probability 10^(-decades t), t in [0, 1] its relative rank by distance: along a random axis
    (axis), from a random point beside the cloud (radial), or from the nearest of a few of its points (points).

    Ranks instead of distances make the expected share of points independent of the shape:
    (1 - 10^-decades) / (decades ln 10), about a fifth.

    Args:
        decades: logarithm to base 10 of the ratio of the largest density to the smallest.
        pattern: axis, radial or points; any: one of them at random.
    """

    decades: Range = (2.0, 3.0)
    pattern: str = "any"

    def __post_init__(self) -> None:
        if self.pattern not in ("any", *PATTERNS):
            raise ValueError(f"expected a pattern of any, {', '.join(PATTERNS)}, got {self.pattern!r}")
        super().__post_init__()

    def corrupt(self, pos: np.ndarray, length: float, rng: np.random.Generator) -> CorruptedPoints:
        """The remaining points, at least one."""
        away = self._distance(pos.astype(np.float64), length, rng)
        rank = np.empty(len(pos))
        rank[np.argsort(away, kind="stable")] = np.linspace(0, 1, len(pos))
        rows = np.flatnonzero(rng.random(len(pos)) < 10 ** (-self.decades * rank))
        rows = rows if len(rows) else np.array([int(rank.argmin())])
        return CorruptedPoints(pos[rows], rows)

    def _distance(self, pos: np.ndarray, length: float, rng: np.random.Generator) -> np.ndarray:
        pattern = PATTERNS[int(rng.integers(len(PATTERNS)))] if self.pattern == "any" else self.pattern
        axis = rng.standard_normal(3)
        axis /= np.linalg.norm(axis)
        if pattern == "axis":
            return pos @ axis
        if pattern == "radial":
            return np.linalg.norm(pos - (pos.mean(0) + rng.uniform(0, 1) * length * axis), axis=1)
        towards = pos[rng.integers(len(pos), size=int(rng.integers(1, 6)))]
        return np.linalg.norm(pos[:, None] - towards, axis=2).min(1)
