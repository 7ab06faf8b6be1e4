"""PointNet++ in tensor frames; with identity frames it is the ordinary PointNet++."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from tensorframes.frames import FrameRefinement, Frames
from tensorframes.geometry import Hierarchy, Level, build_hierarchy, table_edges
from tensorframes.geometry.checks import check_count
from tensorframes.geometry.hierarchy import check_radii
from tensorframes.layers import MLP, NeighbourhoodMoments
from tensorframes.messages import (
    FixedDegree,
    FrameInterpolation,
    Messages,
    TensorialMessagePassing,
    TensorMessages,
    local_edge_vectors,
)
from tensorframes.reps import Representation


class SetAbstraction(TensorialMessagePassing):
    r"""A PointNet on the neighbourhood of each receiver (Qi et al. 2017, arXiv 1706.02413, section 3.2), in frames:

    .. math:: f_i' = \gamma\Big( \mathrm{AGG}_{j} \; h\big(\rho(R_i R_j^T) f_j,\; R_i (x_j - x_i) / \ell,\;
        |x_j - x_i| / \ell\big),\; o_i \Big)

    Args:
        reps_in, reps_out: representations of the features before and after.
        degree: neighbours of every receiver; edges are sorted by receiver.
        length: the level's length l, in units of the positions.
        own: numbers each receiver knows of itself, o_i.
        aggregations: of ``"max"`` (as published), ``"mean"`` and ``"sum"``, concatenated.
    """

    def __init__(
        self,
        reps_in: Representation,
        reps_out: Representation,
        degree: int,
        length: float = 1.0,
        own: int = 0,
        aggregations: Sequence[str] = ("max", "mean"),
    ) -> None:
        aggr = [FixedDegree(name, degree) for name in aggregations]  # type: ignore[arg-type]
        super().__init__(transport={"x": reps_in}, aggr=aggr)
        width = reps_out.dim
        self.length = length
        self.message_net = MLP([reps_in.dim + reps_in.d + 1, width, width], last_activation=True)
        self.update_net = MLP([width * len(aggr) + own, width, width], norm=True)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        pos: tuple[Tensor, Tensor],
        frames: tuple[Frames, Frames],
        own: Tensor | None = None,
    ) -> Tensor:
        """Features (R, reps_out.dim) of the receivers from x (S, reps_in.dim); pos and frames: (senders, receivers)."""
        edge = local_edge_vectors(pos[0], pos[1], edge_index, frames[1]) / self.length
        edge = torch.cat([edge, edge.norm(dim=-1, keepdim=True)], dim=-1)
        receivers = x.new_zeros(len(pos[1]), 0)
        pooled = self.propagate(edge_index, x=(x, receivers), edge=edge, frames=frames)
        out: Tensor = self.update_net(pooled if own is None else torch.cat([pooled, own], dim=-1))
        return out

    def message(self, x_j: Tensor, edge: Tensor) -> Tensor:
        out: Tensor = self.message_net(torch.cat([x_j, edge], dim=-1))
        return out


class FeaturePropagation(nn.Module):
    """Coarse features interpolated to finer points, joined with theirs (Qi et al. 2017, section 3.4), in frames."""

    def __init__(self, coarse: Representation, skip: Representation, out: Representation, degree: int = 3) -> None:
        super().__init__()
        self.interpolate = FrameInterpolation(coarse, degree)
        self.net = MLP([coarse.dim + skip.dim, out.dim, out.dim], norm=True)

    def forward(
        self, x: Tensor, skip: Tensor, edge_index: Tensor, pos: tuple[Tensor, Tensor], frames: tuple[Frames, Frames]
    ) -> Tensor:
        """Features (R, out.dim) from x (S, coarse.dim) and skip (R, skip.dim); pos and frames: (coarse, fine)."""
        arrived = self.interpolate(x, edge_index, pos, frames)
        out: Tensor = self.net(torch.cat([arrived, skip], dim=-1))
        return out


class PointNet2(nn.Module):
    """PointNet++ for per-point features: set abstraction down the levels, feature propagation back up.

    The first set abstraction works on all points, and at every level a point knows the moments of its neighbourhood;
    the published network starts from bare coordinates instead. Levels are sampled by ``independent_set`` in place of
    farthest points, whose choice follows the order of the points.

    Args:
        messages: which representation features of a given width have.
        widths: of the features of level 0, 1, ...; their number is the number of levels.
        radii: spacing of the points of level 1, 2, ..., in units of the cloud's scale.
        neighbours: of every point, in every graph.
        aggregations: of the messages.
        refine: turn each level's frames by its features (``FrameRefinement``).
    """

    def __init__(
        self,
        messages: Messages | None = None,
        widths: Sequence[int] = (32, 64, 96, 128),
        radii: Sequence[float] = (1.5, 3.0, 6.0),
        neighbours: int = 16,
        aggregations: Sequence[str] = ("max", "mean"),
        refine: bool = False,
    ) -> None:
        super().__init__()
        if len(radii) != len(widths) - 1:
            raise ValueError(f"expected one radius per level after the first, {len(widths) - 1}, got {len(radii)}")
        check_radii(radii)
        check_count(neighbours, "neighbours")
        self.radii, self.neighbours, self.levels = tuple(radii), neighbours, len(widths)
        kinds = messages or TensorMessages()
        reps = [kinds.reps(width) for width in widths]
        self.reps = reps[0]
        self.moments = NeighbourhoodMoments()
        sources, lengths = [self.moments.reps_for(kinds), *reps[:-1]], [1.0, *radii]
        self.down = nn.ModuleList(
            SetAbstraction(source, target, neighbours, length, self.moments.reps.dim, aggregations)
            for source, target, length in zip(sources, reps, lengths, strict=True)
        )
        self.refinements = nn.ModuleList(FrameRefinement(each) for each in reps) if refine else None
        self.up = nn.ModuleList(FeaturePropagation(coarse, fine, fine) for fine, coarse in pairwise(reps))

    def plan(self, pos: Tensor, batch: Tensor) -> Hierarchy:
        """All of the geometry: pos (N, 3) distinct points in units of the cloud's scale, batch (N,) ascending."""
        return build_hierarchy(pos, batch, self.radii, self.neighbours)

    def forward(self, hierarchy: Hierarchy, frames: Sequence[Frames]) -> tuple[Tensor, Frames]:
        """Features (N, reps.dim) of level 0, and the frames they are told in."""
        levels, frames = hierarchy.levels, list(frames)
        own = [
            frame.to_local(self.moments(level.pos, level.neighbours), self.moments.reps)
            for frame, level in zip(frames, levels, strict=True)
        ]
        x = own[0]
        features: list[Tensor] = []
        for depth, (level, layer) in enumerate(zip(levels, self.down, strict=True)):
            below = max(depth - 1, 0)
            ends = (levels[below].pos, level.pos), (frames[below], frames[depth])
            x = layer(x, table_edges(level.below), *ends, own[depth])
            x = self.within(depth, x, level, frames[depth])
            if self.refinements is not None:
                x, frames[depth] = self.refinements[depth](x, frames[depth])
            features.append(x)
        for depth in reversed(range(len(levels) - 1)):
            ends = (levels[depth + 1].pos, levels[depth].pos), (frames[depth + 1], frames[depth])
            x = self.up[depth](x, features[depth], table_edges(hierarchy.above[depth]), *ends)
        return x, frames[0]

    def within(self, depth: int, x: Tensor, level: Level, frames: Frames) -> Tensor:
        """What else is done on the way down at each level; here nothing."""
        return x
