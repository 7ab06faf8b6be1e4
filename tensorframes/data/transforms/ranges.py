"""Random parameters: fixed numbers, or pairs (low, high) to sample between."""

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

if TYPE_CHECKING:
    Range = Any  # the fields of a sampled copy are numbers, which their declaration cannot express
else:
    Range = float | tuple[float, float]
"""A fixed value, or bounds to sample between."""

DECADES = 2.5
"""Decades below the upper bound that a disturbance is sampled over."""


def sample_range(value: Range, rng: np.random.Generator) -> float:
    """A sample of a range; a fixed value is returned as it is.

    Uniform between the bounds, an integer if both are integers; uniform in the logarithm if the bounds differ by a
    factor of ten or more. Bounds (0.0, high) describe a disturbance: exactly 0 with probability 1/2, else uniform in
    the logarithm over the DECADES below `high`.
    """
    if isinstance(value, int | float):
        return value
    low, high = value
    if isinstance(low, int) and isinstance(high, int):
        return int(rng.integers(low, high + 1))
    if low == 0:
        size = high * 10 ** rng.uniform(-DECADES, 0)
        return float(size if rng.random() < 0.5 else 0.0)
    if high >= 10 * low > 0:
        return float(low * (high / low) ** rng.random())
    return float(rng.uniform(low, high))


@dataclass(frozen=True)
class RandomParameters:
    """Base of dataclasses whose fields are ranges (numbers or pairs) and names of choices (texts).

    Attributes:
        shares: names of the fields that are shares or probabilities.
        signed: names of those that may be negative.

    Raises:
        ValueError: a range is neither a number nor a pair low <= high; a share is not in [0, 1]; a number is negative.
    """

    shares: ClassVar[tuple[str, ...]] = ()
    signed: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, str):
                continue
            if not isinstance(value, int | float):
                if len(value) != 2 or not value[0] <= value[1]:
                    raise ValueError(f"expected {each.name} to be a number or a pair low <= high, got {value}")
                value = tuple(value)
                object.__setattr__(self, each.name, value)
            low, high = value if isinstance(value, tuple) else (value, value)
            if each.name in self.shares and not 0 <= low <= high <= 1:
                raise ValueError(f"expected {each.name} in [0, 1], got {value}")
            if not (low >= 0 or each.name in self.signed):
                raise ValueError(f"expected {each.name} of at least 0, got {value}")

    def draw(self, rng: np.random.Generator) -> Self:
        """A copy with every range replaced by a sample of it."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        samples = {
            name: value if isinstance(value, str) else sample_range(value, rng) for name, value in values.items()
        }
        return replace(self, **samples)
