"""Networks on one level: convolutions in sequence, each on a graph of all points, in frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from tensorframes.backbones.backbone import Backbone
from tensorframes.frames import FrameRefinement, Frames
from tensorframes.geometry import Level, table_edges
from tensorframes.geometry.checks import check_count
from tensorframes.layers import Geometry, NodeFeatures, Probe, check_widths
from tensorframes.messages import Messages
from tensorframes.messages.kinds import chosen_messages
from tensorframes.reps import Representation


class GraphStack(Backbone):
    """Convolutions in sequence, from the node features; a subclass combines their outputs.

    Args:
        messages: which representation features of a given width have.
        widths: of the convolutions. width: of the features at the end.
        neighbours: of every point, in every graph.
        conv: makes a convolution from the representations before and after.
        refine: turn the frames after each convolution (``FrameRefinement``).
        features, radii: see ``Backbone``.
    """

    def __init__(
        self,
        messages: Messages | None,
        widths: Sequence[int],
        width: int,
        neighbours: int,
        conv: Callable[[Representation, Representation], nn.Module],
        refine: bool,
        features: NodeFeatures | None,
        radii: Sequence[float],
    ) -> None:
        super().__init__(features, radii)
        check_count(neighbours, "neighbours")
        check_widths(widths, width)
        self.neighbours = neighbours
        kinds = chosen_messages(messages)
        reps = [self.features.reps_for(kinds), *(kinds.reps(each) for each in widths)]
        self.reps = kinds.reps(width)
        self.convs = nn.ModuleList(conv(a, b) for a, b in pairwise(reps))
        self.embeddings = self.features.embeddings(widths[0])
        self.probes = nn.ModuleList(Probe(each) for each in [*reps[1:], self.reps])
        self.refinements = nn.ModuleList(FrameRefinement(each) for each in reps[1:]) if refine else None

    def convolved(self, geometry: Geometry, frames: Frames) -> tuple[Tensor, Frames]:
        """The outputs of all convolutions, concatenated (N, sum of widths), and the frames after the last."""
        level, x = geometry.levels[0], self.features(geometry, 0, frames)
        outputs: list[Tensor] = []
        for depth, conv in enumerate(self.convs):
            x = conv(x, table_edges(self.graph(depth, x, level)), level.pos, frames)
            if depth == 0:
                x = self.embeddings(x, geometry, 0, frames)
            if self.refinements is not None:
                x, frames = self.refinements[depth](x, frames)
            x = self.probes[depth](x, frames)
            outputs.append(x)
        return torch.cat(outputs, dim=-1), frames

    def graph(self, depth: int, x: Tensor, level: Level) -> Tensor:
        """The neighbour table (N, k) of a convolution: here of the nearest points in space."""
        return level.neighbours
