"""Parameters that are drawn: fixed numbers, or pairs (low, high)."""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

Range = float | tuple[float, float]
"""A fixed value, or bounds to draw between."""

DECADES = 2.5


def drawn(value: Range | str, rng: np.random.Generator) -> float | str:
    """A number from a range; a text stays as it is. Uniform between the bounds, integers where both are.

    Numbers between bounds a factor of ten or more apart are even in their logarithm. Bounds (0.0, high) are those of a
    disturbance: exactly 0 in half of the draws, otherwise evenly in its logarithm over the DECADES below `high`.
    """
    if isinstance(value, int | float | str):
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
class Drawable:
    """A dataclass whose fields are ranges, and choices by name.

    Raises:
        ValueError: a range is not a number or two numbers in order.
    """

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, int | float | str):
                continue
            if len(value) != 2 or not value[0] <= value[1]:
                raise ValueError(f"expected {each.name} to be a number or a pair low <= high, got {value}")
            object.__setattr__(self, each.name, tuple(value))

    def draw(self, rng: np.random.Generator) -> Self:
        """The same with every range replaced by a number drawn from it."""
        return replace(self, **{each.name: drawn(getattr(self, each.name), rng) for each in fields(self)})
