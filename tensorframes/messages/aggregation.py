"""Aggregation over neighbourhoods of one size, where a reshape does what a scatter would."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch_geometric.nn.aggr import Aggregation


class FixedDegree(Aggregation):
    """Maximum, mean or sum over exactly ``degree`` consecutive edges per receiver.

    For graphs sorted by receiver with ``degree`` edges each, such as those of ``knn``. The gradient of a maximum goes
    to one edge instead of all that are equal.

    Raises:
        ValueError: the edges are not ``degree`` times the receivers.
    """

    def __init__(self, aggr: Literal["max", "mean", "sum"], degree: int) -> None:
        super().__init__()
        if aggr not in ("max", "mean", "sum"):
            raise ValueError(f'expected "max", "mean" or "sum", got {aggr!r}')
        self.aggr, self.degree = aggr, degree

    def forward(
        self,
        x: Tensor,
        index: Tensor | None = None,
        ptr: Tensor | None = None,
        dim_size: int | None = None,
        dim: int = -2,
    ) -> Tensor:
        count = x.shape[0] // self.degree if dim_size is None else dim_size
        if x.shape[0] != count * self.degree:
            raise ValueError(f"expected {self.degree} edges for each of {count} receivers, got {x.shape[0]} edges")
        grouped = x.view(count, self.degree, *x.shape[1:])
        if self.aggr == "max":
            return grouped.max(dim=1)[0]
        return grouped.mean(dim=1) if self.aggr == "mean" else grouped.sum(dim=1)

    def __repr__(self) -> str:
        return f"FixedDegree({self.aggr!r}, degree={self.degree})"
