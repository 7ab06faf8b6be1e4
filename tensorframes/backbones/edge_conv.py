"""Message passing on one level, as DGCNN and plain graph networks do it, in frames."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tensorframes.frames import Frames
from tensorframes.layers import MLP, EdgeEncoding, Norm
from tensorframes.messages import Pooling, TensorialMessagePassing, local_edge_vectors, pooled
from tensorframes.reps import Representation, representation


class FrameEdgeConv(TensorialMessagePassing):
    r"""EdgeConv (Wang et al. 2019, arXiv 1801.07829, eq. 7) in frames, with the edge itself:

    .. math:: f_i' = \mathrm{AGG}_j\; h\big(f_i,\; \rho(R_i R_j^T) f_j - f_i,\; e_{ij}\big),

    :math:`e_{ij}` the edge in the receiver's frame, :math:`R_i (x_j - x_i)`, with its encodings (``EdgeEncoding``).

    Args:
        reps_in, reps_out: representations of the features before and after.
        degree: neighbours of every receiver; edges are sorted by receiver.
        aggregations: ``"max"`` (as published), ``"mean"``, ``"sum"``, ``"softmax"``, or several, then mixed linearly.
        radial, directional: encodings of the edges, see ``EdgeEncoding``.
        norm: ``"layer"``, or ``"batch"`` as published.
    """

    in_chunks = True

    def __init__(
        self,
        reps_in: Representation | str,
        reps_out: Representation | str,
        degree: int,
        aggregations: Pooling | Sequence[Pooling] = "max",
        radial: int = 0,
        directional: int = 0,
        norm: Norm = "layer",
    ) -> None:
        reps_in, reps_out = representation(reps_in), representation(reps_out)
        aggr, width = pooled(aggregations, degree), reps_out.dim
        super().__init__(transport={"x": reps_in}, aggr=aggr)
        self.encode = EdgeEncoding(1.0, radial, directional, reps_in.d)
        self.net = MLP([2 * reps_in.dim + self.encode.dim, width, width], norm=norm, last_activation=True)
        self.output_layer = nn.Linear(len(aggr) * width, width) if len(aggr) > 1 else nn.Identity()

    def forward(self, x: Tensor, edge_index: Tensor, pos: Tensor, frames: Frames) -> Tensor:
        """Features (N, reps_out.dim) from x (N, reps_in.dim)."""
        edge = self.encode(local_edge_vectors(pos, pos, edge_index, frames, self.fixed_degree))
        out: Tensor = self.output_layer(self.propagate(edge_index, x=x, edge=edge, frames=frames))
        return out

    def message(self, x_i: Tensor, x_j: Tensor, edge: Tensor) -> Tensor:
        out: Tensor = self.net(torch.cat([x_i, x_j - x_i, edge], dim=-1))
        return out


class GlobalFeature(nn.Module):
    """A global feature of a cloud: the maximum over its points of a perceptron on their features, at each of them.

    Features in local frames are invariant, and so is their maximum; it is concatenated as scalars.
    """

    def __init__(self, width_in: int, width: int, norm: Norm = "layer") -> None:
        super().__init__()
        self.net = MLP([width_in, width, width], norm=norm)

    def forward(self, x: Tensor, batch: Tensor, clouds: int) -> Tensor:
        """(N, width): the same for all points of a cloud; x (N, width_in), batch (N,)."""
        each: Tensor = self.net(x)
        lowest = torch.full((clouds, each.shape[1]), -torch.inf, dtype=each.dtype, device=each.device)
        index = batch.unsqueeze(-1).expand_as(each)
        return lowest.scatter_reduce(0, index, each, "amax").index_select(0, batch)
