"""What networks on one resolution share: convolutions one after the other, each on a graph of all points, in frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from tensorframes.frames import FrameRefinement, Frames
from tensorframes.geometry import Hierarchy, Level, build_hierarchy, table_edges
from tensorframes.geometry.checks import check_count
from tensorframes.layers import NeighbourhoodMoments, Probe, check_widths
from tensorframes.messages import Messages, TensorMessages
from tensorframes.reps import Representation


class GraphStack(nn.Module):
    """Convolutions in turn, from the moments of each neighbourhood; a subclass joins what all of them found.

    Args:
        messages: which representation features of a given width have.
        widths: of the convolutions. width: of the features at the end.
        neighbours: of every point, in every graph.
        conv: makes a convolution from the representations before and after.
        refine: turn the frames after each convolution (``FrameRefinement``).
    """

    levels = 1

    def __init__(
        self,
        messages: Messages | None,
        widths: Sequence[int],
        width: int,
        neighbours: int,
        conv: Callable[[Representation, Representation], nn.Module],
        refine: bool,
    ) -> None:
        super().__init__()
        check_count(neighbours, "neighbours")
        check_widths(widths, width)
        self.neighbours = neighbours
        kinds = messages or TensorMessages()
        self.moments = NeighbourhoodMoments()
        reps = [self.moments.reps_for(kinds), *(kinds.reps(each) for each in widths)]
        self.reps = kinds.reps(width)
        self.convs = nn.ModuleList(conv(a, b) for a, b in pairwise(reps))
        self.told = nn.ModuleList(Probe(each) for each in [*reps[1:], self.reps])
        self.refinements = nn.ModuleList(FrameRefinement(each) for each in reps[1:]) if refine else None

    def plan(self, pos: Tensor, batch: Tensor, near: Tensor | None = None) -> Hierarchy:
        """All of the geometry that is known beforehand: one level."""
        return build_hierarchy(pos, batch, (), self.neighbours, near=near)

    def found(self, level: Level, told_in: Frames) -> tuple[Tensor, Frames]:
        """The features of all convolutions, joined (N, sum of widths), and the frames they are told in at the end."""
        x = told_in.to_local(self.moments(level.pos, level.neighbours), self.moments.reps)
        found: list[Tensor] = []
        for depth, conv in enumerate(self.convs):
            x = conv(x, table_edges(self.graph(depth, x, level)), level.pos, told_in)
            if self.refinements is not None:
                x, told_in = self.refinements[depth](x, told_in)
            x = self.told[depth](x, told_in)
            found.append(x)
        return torch.cat(found, dim=-1), told_in

    def graph(self, depth: int, x: Tensor, level: Level) -> Tensor:
        """The neighbour table (N, k) of a convolution; here that in space."""
        return level.neighbours
