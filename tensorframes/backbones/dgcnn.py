"""DGCNN in tensor frames; without its dynamic graph it is a plain graph network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from tensorframes.backbones.edge_conv import FrameEdgeConv, GlobalFeature
from tensorframes.backbones.graph_stack import GraphStack
from tensorframes.frames import Frames
from tensorframes.geometry import Level, knn
from tensorframes.layers import MLP, Geometry, NodeFeatures, Norm
from tensorframes.messages import Messages, Pooling


class DGCNN(GraphStack):
    """Dynamic graph CNN (Wang et al. 2019, arXiv 1801.07829, figure 3, the segmentation network), in frames.

    EdgeConvs, whose outputs are concatenated, a feature of the whole cloud, and a perceptron. From the second layer on
    neighbours are nearest in feature space. Features in local frames are invariant, hence the graph is.

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
        refine: rotate the frames after each layer (``FrameRefinement``).
        features: initial features of the points, see ``NodeFeatures``; by default moments.
        radii: spacing of the points of the coarse levels, see ``Backbone``; for features and heads.
    """

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
        features: NodeFeatures | None = None,
        radii: Sequence[float] = (1.5, 3.0, 6.0),
    ) -> None:
        conv = partial(
            FrameEdgeConv,
            degree=neighbours,
            aggregations=aggregations,
            radial=radial,
            directional=directional,
            norm=norm,
        )
        super().__init__(messages, widths, width, neighbours, conv, refine, features, radii)
        if pooled < 0:
            raise ValueError(f"expected pooled >= 0, got {pooled}")
        self.dynamic = dynamic
        self.global_feature = GlobalFeature(sum(widths), pooled, norm) if pooled else None
        self.output_net = MLP([sum(widths) + pooled, 2 * width, width], norm=norm)

    def forward(self, geometry: Geometry, frames: Sequence[Frames]) -> tuple[Tensor, Frames]:
        """Features (N, reps.dim), and the frames they are expressed in."""
        outputs, last = self.convolved(geometry, frames[0])
        if self.global_feature is not None:
            of_cloud = self.global_feature(outputs, geometry.levels[0].batch, geometry.clouds)
            outputs = torch.cat([outputs, of_cloud], dim=-1)
        return self.probes[-1](self.output_net(outputs), last), last

    @torch.no_grad()
    def graph(self, depth: int, x: Tensor, level: Level) -> Tensor:
        """The neighbour table (N, k): in space, or in features after the first layer."""
        if depth == 0 or not self.dynamic:
            return level.neighbours
        return knn(x.float() if x.dtype.itemsize < 4 else x, self.neighbours, batch=level.batch)
