"""What a corruption makes of a cloud, and what all corruptions have in common."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from tensorframes.data.cloud import Cloud


def diagonal(pos: np.ndarray) -> float:
    """Length of the bounding box's diagonal of (N, 3) points."""
    return float(np.linalg.norm(np.ptp(pos.astype(np.float64), axis=0)))


def rounded(values: np.ndarray, step: float) -> np.ndarray:
    """Values as multiples of a step; 0 leaves them alone."""
    return np.round(values / step) * step if step > 0 else values


@dataclass(frozen=True, eq=False)
class Corrupted:
    """A corrupted cloud of M points.

    Args:
        pos: (M, 3) float32.
        rows: (M,) int64, which clean point each one was; -1: none, it lies on no surface.
    """

    pos: np.ndarray
    rows: np.ndarray

    def taken(self, values: np.ndarray) -> np.ndarray:
        """The clean cloud's (N, ...) values at each point, 0 where it was none."""
        return np.where((self.rows < 0)[:, None], values.dtype.type(0), values[self.rows])


class DrawnCorruption(Protocol):
    """A corruption whose levels are fixed."""

    @property
    def noise(self) -> float:
        """Standard deviation of Gaussian noise, a fraction of the diagonal of the whole clean cloud."""

    def corrupted(self, pos: np.ndarray, length: float, rng: np.random.Generator) -> Corrupted:
        """What it makes of clean positions (N, 3) whose diagonal is `length`."""


class DrawsCorruption(Protocol):
    """Draws corruptions; a fixed one draws itself."""

    def draw(self, rng: np.random.Generator, sampled: bool = False) -> DrawnCorruption:
        """One corruption, for a clean cloud or one that is sampled in a way of its own."""


def applied(made: Corrupted, cloud: Cloud, category: str) -> Cloud:
    """The whole cloud, corrupted, in a category; the clean positions stay in `clean_pos`, and `scored` is dropped where
    rows are not those of the clean cloud."""
    whole = np.array_equal(made.rows, np.arange(len(cloud.pos)))
    return replace(
        cloud,
        pos=made.pos,
        normal=None if cloud.normal is None else made.taken(cloud.normal),
        curvature=None if cloud.curvature is None else made.taken(cloud.curvature),
        scored=cloud.scored if whole else None,
        category=category,
        clean_pos=cloud.pos,
    )
