"""Density over two to three decades."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from tensorframes.data.ranges import Drawable, Range
from tensorframes.data.transforms.corruption.corrupted import Corrupted

PATTERNS = ("axis", "radial", "points")


@dataclass(frozen=True)
class DecadesDensity(Drawable):
    """Each point stays with the probability 10^(-decades t), t in [0, 1] its rank by distance, as a fraction: along a
    random axis (axis), from a random point beside the cloud (radial), or from the nearest of a few of its points
    (points).

    Ranks, not distances, keep the number of points the same for every shape: (1 - 10^-decades) / (decades ln 10) of
    them, about a fifth.

    Args:
        decades: logarithm of the largest density to the smallest.
        pattern: axis, radial, points; any: each as often as the others.
    """

    decades: Range = (2.0, 3.0)
    pattern: str = "any"

    def __post_init__(self) -> None:
        if self.pattern not in ("any", *PATTERNS):
            raise ValueError(f"expected a pattern of any, {', '.join(PATTERNS)}, got {self.pattern!r}")
        super().__post_init__()

    @property
    def noise(self) -> float:
        """0."""
        return 0.0

    def draw(self, rng: np.random.Generator, sampled: bool = False) -> Self:
        """A number of decades."""
        return super().draw(rng)

    def corrupted(self, pos: np.ndarray, length: float, rng: np.random.Generator) -> Corrupted:
        """The positions of the rows that stay, at least one."""
        away = self._distance(pos.astype(np.float64), length, rng)
        rank = np.empty(len(pos))
        rank[np.argsort(away, kind="stable")] = np.linspace(0, 1, len(pos))
        rows = np.flatnonzero(rng.random(len(pos)) < 10 ** (-self.decades * rank))
        rows = rows if len(rows) else np.array([int(rank.argmin())])
        return Corrupted(pos[rows], rows)

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
