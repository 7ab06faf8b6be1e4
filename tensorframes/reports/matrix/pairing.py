"""Means over seeds and clouds, and differences paired by both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS, LEVEL = 2000, 0.95


@dataclass(frozen=True)
class Spread:
    """The mean of a score over seeds, and its standard deviation between them (None with one seed)."""

    mean: float
    deviation: float | None
    seeds: int


@dataclass(frozen=True)
class Difference:
    r"""A mean difference paired by seed and cloud.

    Args:
        mean: over seeds and clouds. error: its standard error. low, high: its bootstrap interval.
        seeds, clouds: numbers of these.
    """

    mean: float
    error: float
    low: float
    high: float
    seeds: int
    clouds: int

    @property
    def errors(self) -> float:
        """The mean in standard errors."""
        return self.mean / self.error if self.error > 0 else np.sign(self.mean) * np.inf if self.mean else 0.0


def spread(values: Sequence[float]) -> Spread:
    """Mean and spread of one value a seed."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(float(np.mean(values)), deviation, len(values))


def paired(first: Mapping[int, Mapping[str, float]], second: Mapping[int, Mapping[str, float]]) -> Difference | None:
    r"""The difference first - second of scores by seed and cloud, over the seeds and clouds that both have.

    With D (S, C) the differences, the squared standard error is :math:`s_S^2 / S + s_C^2 / C`, from the variances of
    the means of seeds and of clouds; it counts the noise of single entries twice, and is conservative. With one seed
    its first term is missing. The interval is that of the bootstrap which samples seeds and clouds, both with
    replacement (Owen: "The pigeonhole bootstrap", 2007).

    Returns:
        The difference; None if they have no seed or fewer than two clouds in common.
    """
    seeds = [seed for seed in first if seed in second]
    names = (
        [name for name in first[seeds[0]] if all(name in each[s] for each in (first, second) for s in seeds)]
        if seeds
        else []
    )
    if len(names) < 2:
        return None
    table = np.array([[first[seed][name] - second[seed][name] for name in names] for seed in seeds])
    low, high = interval(table)
    return Difference(float(table.mean()), standard_error(table), low, high, *table.shape)


def standard_error(table: NDArray[np.float64]) -> float:
    """The standard error of the mean of a table (S, C) of seeds and clouds."""
    parts = [table.mean(1 - axis).var(ddof=1) / count for axis, count in enumerate(table.shape) if count > 1]
    return float(np.sqrt(sum(parts)))


def interval(table: NDArray[np.float64], draws: int = DRAWS, level: float = LEVEL) -> tuple[float, float]:
    """The bootstrap interval of the mean of a table (S, C), rows and columns drawn with replacement."""
    rng = np.random.default_rng(0)
    rows, columns = (rng.multinomial(count, np.full(count, 1 / count), draws) / count for count in table.shape)
    means = ((rows @ table) * columns).sum(1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def slope(counts: Sequence[int], errors: Sequence[float]) -> float:
    """The exponent b of errors ~ counts^b, by least squares in the logarithms."""
    return float(np.polyfit(np.log(counts), np.log(errors), 1)[0])
