"""PointNet++ in tensor frames; with identity frames it is the ordinary PointNet++."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from tensorframes.backbones.set_abstraction import FeaturePropagation, Gathering, SetAbstraction
from tensorframes.frames import FrameRefinement, Frames
from tensorframes.geometry import Hierarchy, Level, build_hierarchy, table_edges
from tensorframes.geometry.checks import check_count
from tensorframes.geometry.hierarchy import check_radii
from tensorframes.layers import MLP, KnownProfile, NeighbourhoodMoments, Norm, Probe, check_widths, wide_planes
from tensorframes.layers.regions import checked_counts
from tensorframes.messages import Messages, TensorMessages
from tensorframes.reps import Representation, TensorReps


class Rounds(nn.Module):
    r"""Rounds of messages among the points of a level, each with a skip: :math:`f \leftarrow f + a \odot h(f)`.

    a begins as zero (ReZero, Bachlechner et al. 2020, arXiv 2003.04887), so that rounds can be added to what is
    trained.

    Args:
        layers: the rounds' h. reps: of the features.
    """

    def __init__(self, layers: Sequence[nn.Module], reps: Representation) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.gains = nn.ParameterList(torch.zeros(reps.dim) for _ in layers)

    def forward(self, x: Tensor, level: Level, frames: Frames, own: Tensor) -> Tensor:
        """Features (N, reps.dim) from x (N, reps.dim)."""
        for layer, gain in zip(self.layers, self.gains, strict=True):
            x = x + gain * layer(x, level.edge_index, (level.pos, level.pos), (frames, frames), own)
        return x


class OwnMoments(nn.Module):
    """A perceptron of what each point knows of itself, called as ``SetAbstraction`` is: nothing is sent.

    Args:
        own: numbers each point knows of itself. reps: of the features. norm: ``"layer"`` or ``"batch"``.
    """

    def __init__(self, own: int, reps: Representation, norm: Norm) -> None:
        super().__init__()
        self.net = MLP([own, reps.dim, reps.dim], norm=norm)

    def forward(self, x: Tensor, edge_index: Tensor, pos: object, frames: object, own: Tensor) -> Tensor:
        """Features (N, reps.dim) from own (N, own)."""
        out: Tensor = self.net(own)
        return out


class KnownPlanes(nn.Module):
    """What the planes of wide neighbourhoods add to the features of level 1: nothing to begin with.

    Args:
        counts: for level 1, 2, ... of how many of its regions the neighbourhoods are made. reps: of the features of
            each level.
    """

    def __init__(self, counts: Sequence[Sequence[int]], reps: Sequence[Representation]) -> None:
        super().__init__()
        self.counts = checked_counts(counts, len(reps) - 1)
        planes = sum(len(sizes) for sizes in self.counts)
        self.reps = TensorReps(f"{3 * planes}x0 + {planes}x2")
        self.net = MLP([self.reps.dim, reps[1].dim, reps[1].dim])
        with torch.no_grad():
            for parameter in self.net.layers[-1].parameters():
                parameter.zero_()

    def forward(self, hierarchy: Hierarchy, frames: Frames) -> Tensor:
        """(N_1, reps[1].dim)."""
        wide = wide_planes(hierarchy, self.counts)
        out: Tensor = self.net(
            frames.to_local(torch.cat([wide.shape.flatten(1), wide.planes.flatten(1)], -1), self.reps)
        )
        return out


class PointNet2(nn.Module):
    """PointNet++ for per-point features: set abstraction down the levels, feature propagation back up.

    The first set abstraction works on all points, and at every level a point knows the moments of its neighbourhood;
    the published network starts from bare coordinates instead, and has fewer points from its first layer on. Levels are
    sampled by ``independent_set`` in place of farthest points, whose choice follows the order of the points.

    Args:
        messages: which representation features of a given width have.
        widths: of the features of level 0, 1, ...; their number is the number of levels.
        radii: spacing of the points of level 1, 2, ..., in units of the cloud's scale.
        neighbours: of every point, in every graph.
        layer: gathers each level's features from the level below: ``SetAbstraction`` by default (single-scale grouping,
            SSG), ``MultiScaleAbstraction`` (MSG), or ``FusionAbstraction``; with a norm of its own.
        decoder_layers: rounds of messages among the points of level 0 at the end, each with a skip; 0 as published.
        rounds: of messages among the points of level 1, 2, ..., on the way down and, but for the coarsest, again on the
            way up, each with a skip (``Rounds``); as published none. There are few of these points.
        encoder_layers: rounds of messages among the points of level 0 to begin with, 1 or, as published, 0: then they
            know the moments of their own neighbourhood only, which is quick.
        norm: of the features: ``"layer"``, or ``"batch"`` as published.
        refine: turn each level's frames by its features (``FrameRefinement``).
        wide: for level 1, 2, ... of how many of its regions wide neighbourhoods are made, whose planes the points of
            level 1 know (``wide_planes``, ``KnownPlanes``); none: they know none.
        profile: whether they know the profile of the whole cloud, too (``geometry.thickness_profile``).
    """

    def __init__(
        self,
        messages: Messages | None = None,
        widths: Sequence[int] = (32, 64, 96, 128),
        radii: Sequence[float] = (1.5, 3.0, 6.0),
        neighbours: int = 16,
        layer: Gathering | None = None,
        decoder_layers: int = 1,
        norm: Norm = "layer",
        refine: bool = False,
        rounds: Sequence[int] = (),
        encoder_layers: int = 1,
        wide: Sequence[Sequence[int]] = (),
        profile: bool = False,
    ) -> None:
        super().__init__()
        check_widths(widths)
        if encoder_layers not in (0, 1):
            raise ValueError(f"expected encoder_layers 0 or 1, got {encoder_layers}")
        if decoder_layers < 0:
            raise ValueError(f"expected decoder_layers >= 0, got {decoder_layers}")
        if len(radii) != len(widths) - 1:
            raise ValueError(f"expected one radius per level after the first, {len(widths) - 1}, got {len(radii)}")
        if len(rounds) > len(radii) or min(rounds, default=0) < 0:
            raise ValueError(f"expected rounds >= 0 of at most {len(radii)} levels, got {list(rounds)}")
        if profile and not radii:
            raise ValueError("expected at least one coarse level for profile, got none")
        check_radii(radii)
        check_count(neighbours, "neighbours")
        self.radii, self.neighbours, self.levels = tuple(radii), neighbours, len(widths)
        kinds = messages or TensorMessages()
        reps = [kinds.reps(width) for width in widths]
        self.reps = reps[0]
        self.moments = NeighbourhoodMoments()
        sources, lengths = [self.moments.reps_for(kinds), *reps[:-1]], [1.0, *radii]
        make = layer or partial(SetAbstraction, norm=norm)
        self.down = nn.ModuleList(
            make(source, target, degree=neighbours, length=length, own=self.moments.reps.dim)
            for source, target, length in zip(sources, reps, lengths, strict=True)
        )
        if encoder_layers == 0:
            self.down[0] = OwnMoments(self.moments.reps.dim, reps[0], norm)
        self.refinements = nn.ModuleList(FrameRefinement(each) for each in reps) if refine else None
        self.told_down = nn.ModuleList(Probe(each) for each in reps)
        self.told_up = nn.ModuleList(Probe(each) for each in reps[:-1])
        self.up = nn.ModuleList(FeaturePropagation(coarse, fine, fine, norm=norm) for fine, coarse in pairwise(reps))

        self.decoder = nn.ModuleList(
            make(reps[0], reps[0], degree=neighbours, length=1.0, own=self.moments.reps.dim)
            for _ in range(decoder_layers)
        )
        self.told_decoder = nn.ModuleList(Probe(reps[0]) for _ in range(decoder_layers))

        counts, own = [0, *rounds, *[0] * (len(radii) - len(rounds))], self.moments.reps.dim

        def among(depth: int) -> Rounds:
            layer = partial(make, reps[depth], reps[depth], degree=neighbours, length=lengths[depth], own=own)
            return Rounds([layer() for _ in range(counts[depth])], reps[depth])

        self.rounds_down = nn.ModuleList(among(depth) for depth in range(self.levels))
        self.rounds_up = nn.ModuleList(among(depth) for depth in range(self.levels - 1))

        self.known = KnownPlanes(wide, reps) if wide else None
        self.profile = KnownProfile(reps[1].dim) if profile else None

    def plan(self, pos: Tensor, batch: Tensor, near: Tensor | None = None) -> Hierarchy:
        """All of the geometry: pos (N, 3) distinct points in units of the cloud's scale, batch (N,) ascending."""
        hierarchy = build_hierarchy(pos, batch, self.radii, self.neighbours, near=near)
        if self.known is not None:
            wide_planes(hierarchy, self.known.counts)  # found here, kept there
        return hierarchy

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
            if depth == 1 and self.known is not None:
                x = x + self.known(hierarchy, frames[depth])
            if depth == 1 and self.profile is not None:
                x = x + self.profile(hierarchy, level.batch)
            x = self.within(depth, self.rounds_down[depth](x, level, frames[depth], own[depth]), level, frames[depth])
            if self.refinements is not None:
                x, frames[depth] = self.refinements[depth](x, frames[depth])
            x = self.told_down[depth](x, frames[depth])
            features.append(x)
        for depth in reversed(range(len(levels) - 1)):
            ends = (levels[depth + 1].pos, levels[depth].pos), (frames[depth + 1], frames[depth])
            x = self.up[depth](x, features[depth], table_edges(hierarchy.above[depth]), *ends)
            x = self.rounds_up[depth](x, levels[depth], frames[depth], own[depth])
            x = self.told_up[depth](x, frames[depth])
        level, told_in = levels[0], frames[0]
        for layer, told in zip(self.decoder, self.told_decoder, strict=True):
            x = x + layer(x, level.edge_index, (level.pos, level.pos), (told_in, told_in), own[0])
            x = told(x, told_in)
        return x, told_in

    def within(self, depth: int, x: Tensor, level: Level, frames: Frames) -> Tensor:
        """What else is done on the way down at each level; here nothing."""
        return x
