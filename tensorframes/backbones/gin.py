"""A graph isomorphism network in tensor frames: the plainest message passing there is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from tensorframes.frames import FrameRefinement, Frames
from tensorframes.geometry import Hierarchy, build_hierarchy, table_edges
from tensorframes.geometry.checks import check_count
from tensorframes.layers import MLP, EdgeEncoding, NeighbourhoodMoments, Norm, Probe, check_widths
from tensorframes.messages import (
    Messages,
    Pooling,
    TensorialMessagePassing,
    TensorMessages,
    local_edge_vectors,
    pooled,
)
from tensorframes.reps import Representation


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

    in_pieces = True

    def __init__(
        self,
        reps_in: Representation,
        reps_out: Representation,
        degree: int,
        aggregation: Pooling = "sum",
        radial: int = 0,
        directional: int = 0,
        norm: Norm = "layer",
    ) -> None:
        super().__init__(transport={"x": reps_in}, aggr=pooled(aggregation, degree))
        self.encode = EdgeEncoding(1.0, radial, directional, reps_in.d)
        self.edge = nn.Linear(self.encode.dim, reps_in.dim)
        self.epsilon = nn.Parameter(torch.zeros(()))
        self.net = MLP([reps_in.dim, reps_out.dim, reps_out.dim], norm=norm)

    def forward(self, x: Tensor, edge_index: Tensor, pos: Tensor, frames: Frames) -> Tensor:
        """Features (N, reps_out.dim) from x (N, reps_in.dim)."""
        edge = self.edge(self.encode(local_edge_vectors(pos, pos, edge_index, frames, self.fixed_degree)))
        out: Tensor = self.net((1 + self.epsilon) * x + self.propagate(edge_index, x=x, edge=edge, frames=frames))
        return out

    def message(self, x_j: Tensor, edge: Tensor) -> Tensor:
        return (x_j + edge).relu()


class GIN(nn.Module):
    """A plain network of GIN layers on one graph in space (Xu et al. 2019, arXiv 1810.00826), in frames.

    The features of all layers are joined at the end, as published (Xu et al., eq. 4.2).

    Args:
        messages: which representation features of a given width have.
        widths: of the layers.
        width: of the features at the end.
        neighbours: of every point.
        aggregation: of the messages; ``"sum"`` as published.
        radial, directional: encodings of the edges, see ``EdgeEncoding``.
        norm: ``"layer"``, or ``"batch"`` as published.
        refine: turn the frames after each layer (``FrameRefinement``).
    """

    levels = 1

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
    ) -> None:
        super().__init__()
        check_count(neighbours, "neighbours")
        check_widths(widths, width)
        self.neighbours = neighbours
        kinds = messages or TensorMessages()
        self.moments = NeighbourhoodMoments()
        reps = [self.moments.reps_for(kinds), *(kinds.reps(each) for each in widths)]
        self.reps = kinds.reps(width)
        self.convs = nn.ModuleList(
            FrameGINConv(a, b, neighbours, aggregation, radial, directional, norm) for a, b in pairwise(reps)
        )
        self.told = nn.ModuleList(Probe(each) for each in [*reps[1:], self.reps])
        self.refinements = nn.ModuleList(FrameRefinement(each) for each in reps[1:]) if refine else None
        self.join = MLP([sum(widths), 2 * width, width], norm=norm)

    def plan(self, pos: Tensor, batch: Tensor, near: Tensor | None = None) -> Hierarchy:
        """All of the geometry: one level."""
        return build_hierarchy(pos, batch, (), self.neighbours, near=near)

    def forward(self, hierarchy: Hierarchy, frames: Sequence[Frames]) -> tuple[Tensor, Frames]:
        """Features (N, reps.dim), and the frames they are told in."""
        (level,), told_in = hierarchy.levels, frames[0]
        x = told_in.to_local(self.moments(level.pos, level.neighbours), self.moments.reps)
        found: list[Tensor] = []
        for depth, conv in enumerate(self.convs):
            x = conv(x, table_edges(level.neighbours), level.pos, told_in)
            if self.refinements is not None:
                x, told_in = self.refinements[depth](x, told_in)
            x = self.told[depth](x, told_in)
            found.append(x)
        return self.told[-1](self.join(torch.cat(found, dim=-1)), told_in), told_in
