"""Message passing on one level, as DGCNN and plain graph networks do it, in frames."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from tensorframes.frames import Frames
from tensorframes.layers import MLP
from tensorframes.messages import FixedDegree, TensorialMessagePassing, local_edge_vectors
from tensorframes.reps import Representation


class FrameEdgeConv(TensorialMessagePassing):
    r"""EdgeConv (Wang et al. 2019, arXiv 1801.07829, eq. 7) in frames, with the edge itself:

    .. math:: f_i' = \mathrm{AGG}_j\; h\big(f_i,\; \rho(R_i R_j^T) f_j - f_i,\; R_i (x_j - x_i),\; |x_j - x_i|\big).

    Args:
        reps_in, reps_out: representations of the features before and after.
        degree: neighbours of every receiver; edges are sorted by receiver.
        aggr: ``"max"`` (as published), ``"mean"`` or ``"sum"``.
    """

    def __init__(
        self,
        reps_in: Representation,
        reps_out: Representation,
        degree: int,
        aggr: Literal["max", "mean", "sum"] = "max",
    ) -> None:
        super().__init__(transport={"x": reps_in}, aggr=FixedDegree(aggr, degree))
        widths = [2 * reps_in.dim + reps_in.d + 1, reps_out.dim, reps_out.dim]
        self.net = MLP(widths, norm=True, last_activation=True)

    def forward(self, x: Tensor, edge_index: Tensor, pos: Tensor, frames: Frames) -> Tensor:
        """Features (N, reps_out.dim) from x (N, reps_in.dim)."""
        edge = local_edge_vectors(pos, pos, edge_index, frames)
        edge = torch.cat([edge, edge.norm(dim=-1, keepdim=True)], dim=-1)
        out: Tensor = self.propagate(edge_index, x=x, edge=edge, frames=frames)
        return out

    def message(self, x_i: Tensor, x_j: Tensor, edge: Tensor) -> Tensor:
        out: Tensor = self.net(torch.cat([x_i, x_j - x_i, edge], dim=-1))
        return out


class GlobalFeature(nn.Module):
    """What a whole cloud is like: the maximum over its points of a perceptron on their features, told to each of them.

    Numbers in local frames are invariant, so their maximum is; it joins the features as scalars.
    """

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.net = MLP([width_in, width, width], norm=True)

    def forward(self, x: Tensor, batch: Tensor, clouds: int) -> Tensor:
        """(N, width): the same for all points of a cloud; x (N, width_in), batch (N,)."""
        each: Tensor = self.net(x)
        lowest = torch.full((clouds, each.shape[1]), -torch.inf, dtype=each.dtype, device=each.device)
        index = batch.unsqueeze(-1).expand_as(each)
        return lowest.scatter_reduce(0, index, each, "amax").index_select(0, batch)
