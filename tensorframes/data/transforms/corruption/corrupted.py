"""The interface of corruptions, and their result."""

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np

from tensorframes.data.cloud import Cloud
from tensorframes.data.transforms.ranges import RandomParameters


def diagonal(pos: np.ndarray) -> float:
    """Length of the bounding box's diagonal of (N, 3) points."""
    return float(np.linalg.norm(np.ptp(pos.astype(np.float64), axis=0)))


def rounded(values: np.ndarray, step: float) -> np.ndarray:
    """Values rounded to multiples of a step; a step of 0 changes nothing."""
    return np.round(values / step) * step if step > 0 else values


@dataclass(frozen=True, eq=False)
class CorruptedPoints:
    """The M points of a corrupted cloud.

    Args:
        pos: (M, 3) float32.
        rows: (M,) int64, the clean point that each one comes from; -1 for outliers, which come from none.
    """

    pos: np.ndarray
    rows: np.ndarray

    def gather(self, values: np.ndarray) -> np.ndarray:
        """Values (N, ...) of the clean points at the corrupted ones, (M, ...); 0 for outliers."""
        return np.where((self.rows < 0)[:, None], values.dtype.type(0), values[self.rows])


class CorruptionSample(Protocol):
    """A corruption with fixed levels."""

    @property
    def noise(self) -> float:
        """Standard deviation of Gaussian noise, a fraction of the diagonal of the whole clean cloud."""

    def corrupt(self, pos: np.ndarray, length: float, rng: np.random.Generator) -> CorruptedPoints:
        """The corrupted points of clean positions (N, 3), whose bounding box has the diagonal `length`."""


class CorruptionSampler(Protocol):
    """A distribution of corruptions; a fixed corruption is the distribution of itself alone."""

    def draw(self, rng: np.random.Generator, sampled: bool = False) -> CorruptionSample:
        """One corruption, of a clean cloud or, with `sampled`, of a cloud that has the noise of its sensor already."""


class Noiseless(RandomParameters):
    """Base of corruptions without Gaussian noise, each with its own parameters; the same for all clouds."""

    @property
    def noise(self) -> float:
        """0."""
        return 0.0

    def draw(self, rng: np.random.Generator, sampled: bool = False) -> Self:
        """With fixed parameters."""
        return super().draw(rng)


def corrupted_cloud(made: CorruptedPoints, cloud: Cloud, category: str) -> Cloud:
    """The corrupted cloud in a category, with the clean positions as `clean_pos`. `eval_index` is that of the clean
    cloud if the rows are, else all labelled rows."""
    unchanged = np.array_equal(made.rows, np.arange(len(cloud.pos)))
    return replace(
        cloud,
        pos=made.pos,
        normal=None if cloud.normal is None else made.gather(cloud.normal),
        eval_index=cloud.eval_index if unchanged else None,  # type: ignore[arg-type]
        category=category,
        clean_pos=cloud.pos,
    )
