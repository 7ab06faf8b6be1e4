"""Fitted planes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Fit:
    """Planes fitted at M points. An initial estimate has a normal only; its other fields are None."""

    normal: Tensor  # (M, 3)
    eigenvalues: Tensor | None = None  # (M, 3) ascending
    height: Tensor | None = None  # (M,) of the fitted points' mean above the point, along the normal
    thickness: Tensor | None = None  # (M,) root mean square height of the fitted points above their mean
    features: Tensor | None = None  # (M, hidden) mean hidden features of the fitted points

    def detach(self) -> Fit:
        """The same planes, all fields but the features detached."""
        return replace(self._map(torch.Tensor.detach), features=self.features)

    def index_select(self, index: Tensor) -> Fit:
        """The planes of some of the points, index (K,)."""
        return self._map(lambda values: values.index_select(0, index))

    def narrow(self, start: int, count: int) -> Fit:
        """The planes of ``count`` consecutive points."""
        return self._map(lambda values: values.narrow(0, start, count))

    def _map(self, function: Callable[[Tensor], Tensor]) -> Fit:
        optional = (self.eigenvalues, self.height, self.thickness, self.features)
        return Fit(function(self.normal), *(None if values is None else function(values) for values in optional))


def fitted_value(value: Tensor | None) -> Tensor:
    """A field that an initial estimate lacks. Raises ValueError if it is None."""
    if value is None:
        raise ValueError("expected a fit, got an initial estimate")
    return value
