"""PointNet in tensor frames."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tensorframes.backbones.backbone import Backbone
from tensorframes.backbones.edge_conv import GlobalFeature
from tensorframes.frames import Frames
from tensorframes.geometry.checks import check_count
from tensorframes.layers import MLP, Geometry, NodeFeatures, Norm, Probe, check_widths
from tensorframes.messages import Messages
from tensorframes.messages.kinds import chosen_messages


class PointNet(Backbone):
    """PointNet's segmentation network (Qi et al. 2017, arXiv 1612.00593, figure 2): a perceptron and a global maximum.

    There are no messages, so frames enter only through the node features. By default these are the moments of each
    point's neighbourhood, in place of the coordinates and the learned transforms of the published network, which are
    not equivariant. With ``ConstantFeatures`` all points have the same features.

    Args:
        messages: which representation features of a given width have.
        widths: of the perceptron on each point; the last one is that of the features.
        pooled: width of the cloud's feature.
        neighbours: of every point, for the frames and the moments.
        norm: ``"layer"``, or ``"batch"`` as published.
        features: initial features of the points, see ``NodeFeatures``; by default moments.
        radii: spacing of the points of the coarse levels, see ``Backbone``; for features and heads.
    """

    def __init__(
        self,
        messages: Messages | None = None,
        widths: Sequence[int] = (64, 128, 64),
        pooled: int = 256,
        neighbours: int = 16,
        norm: Norm = "layer",
        features: NodeFeatures | None = None,
        radii: Sequence[float] = (1.5, 3.0, 6.0),
    ) -> None:
        super().__init__(features, radii)
        check_count(neighbours, "neighbours")
        check_widths(widths, pooled)
        self.neighbours = neighbours
        self.reps = chosen_messages(messages).reps(widths[-1])
        self.probe = Probe(self.reps)
        self.point_net = MLP([self.features.reps.dim, *widths], norm=norm)
        self.embeddings = self.features.embeddings(widths[-1])
        self.global_feature = GlobalFeature(widths[-1], pooled, norm)
        self.output_net = MLP([widths[-1] + pooled, *widths], norm=norm)

    def forward(self, geometry: Geometry, frames: Sequence[Frames]) -> tuple[Tensor, Frames]:
        """Features (N, reps.dim), and the frames they are expressed in."""
        x = self.point_net(self.features(geometry, 0, frames[0]))
        x = self.embeddings(x, geometry, 0, frames[0])
        x = self.output_net(torch.cat([x, self.global_feature(x, geometry.levels[0].batch, geometry.clouds)], dim=-1))
        return self.probe(x, frames[0]), frames[0]
