"""Fitted planes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Fit:
    """Planes of M points. A guess has a normal only; its other fields are None."""

    normal: Tensor  # (M, 3)
    values: Tensor | None = None  # (M, 3) eigenvalues, ascending
    centre: Tensor | None = None  # (M,) height of the fitted points' mean above the point, along the normal
    thickness: Tensor | None = None  # (M,) root mean square height of the fitted points above their mean
    features: Tensor | None = None  # (M, hidden) mean hidden features of the fitted points

    def detach(self) -> Fit:
        """The same planes, their geometry (all fields but the features) detached."""
        return replace(self._each(torch.Tensor.detach), features=self.features)

    def of(self, which: Tensor) -> Fit:
        """The planes of some of the points, by their indices."""
        return self._each(lambda values: values.index_select(0, which))

    def part(self, start: int, count: int) -> Fit:
        """The planes of ``count`` consecutive points."""
        return self._each(lambda values: values.narrow(0, start, count))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Fit:
        rest = (self.values, self.centre, self.thickness, self.features)
        return Fit(change(self.normal), *(None if values is None else change(values) for values in rest))


def of_fit(value: Tensor | None) -> Tensor:
    """A value that a fit has and a guess lacks. Raises ValueError for a guess."""
    if value is None:
        raise ValueError("expected a fit, got a guess")
    return value
