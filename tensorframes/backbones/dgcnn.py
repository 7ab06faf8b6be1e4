"""DGCNN in tensor frames, and the plain graph network that it is without its dynamic graph."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from tensorframes.backbones.edge_conv import FrameEdgeConv, GlobalFeature
from tensorframes.frames import FrameRefinement, Frames
from tensorframes.geometry import Hierarchy, build_hierarchy, knn, table_edges
from tensorframes.geometry.checks import check_count
from tensorframes.layers import MLP, NeighbourhoodMoments, Norm, Probe, check_widths
from tensorframes.messages import Messages, Pooling, TensorMessages


class DGCNN(nn.Module):
    """Dynamic graph CNN (Wang et al. 2019, arXiv 1801.07829, figure 3, the segmentation network), in frames.

    Three EdgeConvs, their outputs joined, a feature of the whole cloud, a perceptron. From the second layer on the
    neighbours are those nearest in features: numbers in local frames, hence invariant, and so is the graph.

    Args:
        messages: which representation features of a given width have.
        widths: of the EdgeConvs.
        width: of the features at the end.
        pooled: width of the cloud's feature; 0 for none.
        neighbours: of every point, in every graph.
        dynamic: take neighbours in features after the first layer; else in space throughout.
        aggregations: of the messages: ``"max"`` (as published), ``"mean"``, ``"sum"``, ``"softmax"``, or several.
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
        pooled: int = 256,
        neighbours: int = 20,
        dynamic: bool = True,
        aggregations: Pooling | Sequence[Pooling] = "max",
        radial: int = 0,
        directional: int = 0,
        norm: Norm = "layer",
        refine: bool = False,
    ) -> None:
        super().__init__()
        check_count(neighbours, "neighbours")
        check_widths(widths, width)
        if pooled < 0:
            raise ValueError(f"expected pooled >= 0, got {pooled}")
        self.neighbours, self.dynamic = neighbours, dynamic
        kinds = messages or TensorMessages()
        self.moments = NeighbourhoodMoments()
        reps = [self.moments.reps_for(kinds), *(kinds.reps(each) for each in widths)]
        self.reps = kinds.reps(width)
        self.convs = nn.ModuleList(
            FrameEdgeConv(a, b, neighbours, aggregations, radial, directional, norm) for a, b in pairwise(reps)
        )
        self.told = nn.ModuleList(Probe(each) for each in [*reps[1:], self.reps])
        self.refinements = nn.ModuleList(FrameRefinement(each) for each in reps[1:]) if refine else None
        self.whole = GlobalFeature(sum(widths), pooled, norm) if pooled else None
        self.join = MLP([sum(widths) + pooled, 2 * width, width], norm=norm)

    def plan(self, pos: Tensor, batch: Tensor, near: Tensor | None = None) -> Hierarchy:
        """All of the geometry that is known beforehand: one level."""
        return build_hierarchy(pos, batch, (), self.neighbours, near=near)

    def forward(self, hierarchy: Hierarchy, frames: Sequence[Frames]) -> tuple[Tensor, Frames]:
        """Features (N, reps.dim), and the frames they are told in."""
        (level,), told_in = hierarchy.levels, frames[0]
        x = told_in.to_local(self.moments(level.pos, level.neighbours), self.moments.reps)
        found: list[Tensor] = []
        for depth, conv in enumerate(self.convs):
            table = level.neighbours if depth == 0 or not self.dynamic else self._nearest(x, level.batch)
            x = conv(x, table_edges(table), level.pos, told_in)
            if self.refinements is not None:
                x, told_in = self.refinements[depth](x, told_in)
            x = self.told[depth](x, told_in)
            found.append(x)
        joined = torch.cat(found, dim=-1)
        if self.whole is not None:
            joined = torch.cat([joined, self.whole(joined, level.batch, hierarchy.clouds)], dim=-1)
        return self.told[-1](self.join(joined), told_in), told_in

    @torch.no_grad()
    def _nearest(self, x: Tensor, batch: Tensor) -> Tensor:
        """The neighbour table (N, k) in features."""
        return knn(x.float() if x.dtype.itemsize < 4 else x, self.neighbours, batch=batch)
