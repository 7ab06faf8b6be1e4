"""Aggregation over neighbourhoods of one size, where a reshape does what a scatter would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch_geometric.nn.aggr import Aggregation, MultiAggregation

from tensorframes.geometry.checks import check_count
from tensorframes.geometry.edges import check_order

Pooling = Literal["sum", "mean", "max", "softmax"]
POOLINGS = ("sum", "mean", "max", "softmax")


class FixedDegree(Aggregation):
    r"""Sum, mean, maximum or softmax over exactly ``degree`` consecutive edges per receiver.

    For graphs sorted by receiver with ``degree`` edges each, such as those of ``knn``. The gradient of a maximum goes
    to one of several equal edges. Softmax aggregation (Li et al. 2020, arXiv 2006.07739, section 3.2) weights each
    channel c separately, :math:`\sum_j m_{jc}\, e^{t m_{jc}} / \sum_j e^{t m_{jc}}`. The learned t interpolates between
    the mean (t = 0) and the maximum.

    Shapes: messages (M degree, C) and their receivers ``index`` (M degree,); returns (M, C) for M receivers.

    Raises:
        ValueError: the name is unknown, the degree is below 1, the number of edges is not ``degree`` times that of the
            receivers, or (see ``check_order``: on a CPU, eagerly) they are not sorted by receiver.
    """

    def __init__(self, aggr: Pooling, degree: int) -> None:
        super().__init__()
        check_count(degree, "degree")
        if aggr not in POOLINGS:
            raise ValueError(f"expected an aggregation of {', '.join(POOLINGS)}, got {aggr!r}")
        self.aggr, self.degree = aggr, degree
        self.sharpness = nn.Parameter(torch.ones(())) if aggr == "softmax" else None

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
        if index is not None:
            check_order(index, count, self.degree)
        grouped = x.view(count, self.degree, *x.shape[1:])
        if self.aggr == "max":
            return grouped.max(dim=1)[0] if torch.is_grad_enabled() else grouped.amax(dim=1)
        if self.sharpness is not None:
            return ((self.sharpness * grouped).softmax(dim=1) * grouped).sum(dim=1)
        return grouped.mean(dim=1) if self.aggr == "mean" else grouped.sum(dim=1)

    def __repr__(self) -> str:
        return f"FixedDegree({self.aggr!r}, degree={self.degree})"


def degree_of(aggr: nn.Module) -> int | None:
    """The number of edges per receiver that an aggregation requires; None if it accepts any."""
    parts = list(aggr.aggrs) if isinstance(aggr, MultiAggregation) else [aggr]
    degrees = {part.degree if isinstance(part, FixedDegree) else None for part in parts}
    return degrees.pop() if len(degrees) == 1 else None


def pooled(names: Pooling | Sequence[Pooling], degree: int) -> list[FixedDegree]:
    """The aggregations of these names, for ``aggr=`` of a message passing layer, which concatenates their results.

    Raises:
        ValueError: there is no name, or an unknown one.
    """
    listed = [names] if isinstance(names, str) else list(names)
    if not listed:
        raise ValueError(f"expected at least one aggregation of {', '.join(POOLINGS)}, got none")
    return [FixedDegree(name, degree) for name in listed]
