"""A graph isomorphism network (GIN) in tensor frames: sums over neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from tensorframes.backbones.graph_stack import GraphStack
from tensorframes.frames import Frames
from tensorframes.layers import MLP, EdgeEncoding, Geometry, NodeFeatures, Norm
from tensorframes.messages import (
    Messages,
    Pooling,
    TensorialMessagePassing,
    local_edge_vectors,
    pooled,
)
from tensorframes.reps import Representation, representation


class FrameGINConv(TensorialMessagePassing):
    r"""GIN's update with edges (Xu et al. 2019, arXiv 1810.00826, eq. 4.1; edges as in Hu et al. 2020), in frames:

    .. math:: f_i' = h\Big( (1 + \epsilon)\, f_i + \sum_j \mathrm{ReLU}\big(\rho(R_i R_j^T) f_j + W e_{ij}\big) \Big),

    :math:`e_{ij}` the edge in the receiver's frame with its encodings (``EdgeEncoding``), :math:`\epsilon` learned.

    Args:
        reps_in, reps_out: representations of the features before and after.
        degree: neighbours of every receiver; edges are sorted by receiver.
        aggregation: of the messages; ``"sum"`` as published.
        radial, directional: encodings of the edges.
        norm: ``"layer"``, or ``"batch"`` as published.
    """

    in_chunks = True

    def __init__(
        self,
        reps_in: Representation | str,
        reps_out: Representation | str,
        degree: int,
        aggregation: Pooling = "sum",
        radial: int = 0,
        directional: int = 0,
        norm: Norm = "layer",
    ) -> None:
        reps_in, reps_out = representation(reps_in), representation(reps_out)
        super().__init__(transport={"x": reps_in}, aggr=pooled(aggregation, degree))
        self.encode = EdgeEncoding(1.0, radial, directional, reps_in.d)
        self.edge_layer = nn.Linear(self.encode.dim, reps_in.dim)
        self.epsilon = nn.Parameter(torch.zeros(()))
        self.net = MLP([reps_in.dim, reps_out.dim, reps_out.dim], norm=norm)

    def forward(self, x: Tensor, edge_index: Tensor, pos: Tensor, frames: Frames) -> Tensor:
        """Features (N, reps_out.dim) from x (N, reps_in.dim)."""
        edge = self.edge_layer(self.encode(local_edge_vectors(pos, pos, edge_index, frames, self.fixed_degree)))
        out: Tensor = self.net((1 + self.epsilon) * x + self.propagate(edge_index, x=x, edge=edge, frames=frames))
        return out

    def message(self, x_j: Tensor, edge: Tensor) -> Tensor:
        return (x_j + edge).relu()


class GIN(GraphStack):
    """A plain network of GIN layers on one graph in space (Xu et al. 2019, arXiv 1810.00826), in frames.

    The features of all layers are concatenated at the end, as published (Xu et al., eq. 4.2).

    Args:
        messages: which representation features of a given width have.
        widths: of the layers.
        width: of the features at the end.
        neighbours: of every point.
        aggregation: of the messages; ``"sum"`` as published.
        radial, directional: encodings of the edges, see ``EdgeEncoding``.
        norm: ``"layer"``, or ``"batch"`` as published.
        refine: rotate the frames after each layer (``FrameRefinement``).
        features: initial features of the points, see ``NodeFeatures``; by default moments.
        radii: spacing of the points of the coarse levels, see ``Backbone``; for features and heads.
    """

    def __init__(
        self,
        messages: Messages | None = None,
        widths: Sequence[int] = (64, 64, 64),
        width: int = 64,
        neighbours: int = 20,
        aggregation: Pooling = "sum",
        radial: int = 4,
        directional: int = 0,
        norm: Norm = "layer",
        refine: bool = False,
        features: NodeFeatures | None = None,
        radii: Sequence[float] = (1.5, 3.0, 6.0),
    ) -> None:
        conv = partial(
            FrameGINConv,
            degree=neighbours,
            aggregation=aggregation,
            radial=radial,
            directional=directional,
            norm=norm,
        )
        super().__init__(messages, widths, width, neighbours, conv, refine, features, radii)
        self.output_net = MLP([sum(widths), 2 * width, width], norm=norm)

    def forward(self, geometry: Geometry, frames: Sequence[Frames]) -> tuple[Tensor, Frames]:
        """Features (N, reps.dim), and the frames they are expressed in."""
        outputs, last = self.convolved(geometry, frames[0])
        return self.probes[-1](self.output_net(outputs), last), last
