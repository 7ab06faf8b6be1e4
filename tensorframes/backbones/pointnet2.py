"""PointNet++ in tensor frames; with identity frames it is the ordinary PointNet++."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from tensorframes.backbones.backbone import Backbone
from tensorframes.backbones.set_abstraction import FeaturePropagation, Gathering, SetAbstraction
from tensorframes.frames import FrameRefinement, Frames
from tensorframes.geometry import Level, table_edges
from tensorframes.geometry.checks import check_count
from tensorframes.layers import MLP, Geometry, NodeFeatures, Norm, Probe, check_widths
from tensorframes.messages import Messages
from tensorframes.messages.kinds import chosen_messages
from tensorframes.reps import Representation


class Rounds(nn.Module):
    r"""Rounds of messages among the points of a level, each with a skip: :math:`f \leftarrow f + a \odot h(f)`.

    a is zero at initialisation (ReZero, Bachlechner et al. 2020, arXiv 2003.04887), so that rounds can be added to a
    trained network.

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


class OwnFeatures(nn.Module):
    """A perceptron of each point's own features, without messages; called like ``SetAbstraction``.

    Args:
        own: width of the own features. reps: of the features. norm: ``"layer"`` or ``"batch"``.
    """

    def __init__(self, own: int, reps: Representation, norm: Norm) -> None:
        super().__init__()
        self.net = MLP([own, reps.dim, reps.dim], norm=norm)

    def forward(self, x: Tensor, edge_index: Tensor, pos: object, frames: object, own: Tensor) -> Tensor:
        """Features (N, reps.dim) from own (N, own)."""
        out: Tensor = self.net(own)
        return out


class PointNet2(Backbone):
    """PointNet++ for per-point features: set abstraction down the levels, feature propagation back up.

    The first set abstraction works on all points, and at every level the node features are further inputs. The
    published network starts from coordinates, and samples points from its first layer on. Levels are sampled by
    ``independent_set`` instead of farthest point sampling, which depends on the order of the points.

    Args:
        messages: which representation features of a given width have.
        widths: of the features of level 0, 1, ...; their number is the number of levels.
        radii: spacing of the points of level 1, 2, ..., in units of the cloud's scale.
        neighbours: of every point, in every graph.
        layer: gathers each level's features from the level below: ``SetAbstraction`` by default (single-scale grouping,
            SSG), ``MultiScaleAbstraction`` (MSG), or ``FusionAbstraction``; with a norm of its own.
        decoder_layers: rounds of messages among the points of level 0 at the end, each with a skip; 0 as published.
        rounds: numbers of rounds of messages among the points of level 1, 2, ..., each with a skip (``Rounds``), in the
            encoder and, except for the coarsest level, again in the decoder; none as published.
        encoder_layers: rounds of messages among the points of level 0 at the beginning: 1, or 0 as published. With 0
            their features are a perceptron of their node features, which is faster.
        norm: of the features: ``"layer"``, or ``"batch"`` as published.
        refine: rotate each level's frames by its features (``FrameRefinement``).
        features: initial features of the points of every level, see ``NodeFeatures``; by default moments.
            Embeddings of further features are added at level 1.
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
        features: NodeFeatures | None = None,
    ) -> None:
        _check(widths, radii, rounds, encoder_layers, decoder_layers)
        check_count(neighbours, "neighbours")
        super().__init__(features, radii, len(widths))
        self.neighbours = neighbours
        kinds = chosen_messages(messages)
        reps = [kinds.reps(width) for width in widths]
        self.reps = reps[0]
        own, lengths = self.features.reps.dim, [1.0, *radii]
        make: Callable[..., nn.Module] = partial(
            layer or partial(SetAbstraction, norm=norm), degree=neighbours, own=own
        )
        sources = [self.features.reps_for(kinds), *reps[:-1]]
        ends = zip(sources, reps, lengths, strict=True)
        self.down = nn.ModuleList(make(source, target, length=length) for source, target, length in ends)
        if encoder_layers == 0:
            self.down[0] = OwnFeatures(own, reps[0], norm)
        self.refinements = nn.ModuleList(FrameRefinement(each) for each in reps) if refine else None
        self.probes_down = nn.ModuleList(Probe(each) for each in reps)
        self.probes_up = nn.ModuleList(Probe(each) for each in reps[:-1])
        self.up = nn.ModuleList(FeaturePropagation(coarse, fine, fine, norm=norm) for fine, coarse in pairwise(reps))
        self.decoder = nn.ModuleList(make(reps[0], reps[0], length=1.0) for _ in range(decoder_layers))
        self.probes_decoder = nn.ModuleList(Probe(reps[0]) for _ in range(decoder_layers))
        among = [partial(make, each, each, length=length) for each, length in zip(reps, lengths, strict=True)]
        counts = [0, *rounds, *[0] * (len(radii) - len(rounds))]
        self.rounds_down = _rounds(among, counts, reps)
        self.rounds_up = _rounds(among[:-1], counts[:-1], reps[:-1])
        self.embedded = min(1, self.levels - 1)  # level at which embeddings of features are added
        self.embeddings = self.features.embeddings(reps[self.embedded].dim)

    def forward(self, geometry: Geometry, frames: Sequence[Frames]) -> tuple[Tensor, Frames]:
        """Features (N, reps.dim) of level 0, and the frames they are expressed in."""
        levels, frames = geometry.levels, list(frames)
        own = [self.features(geometry, depth, frame) for depth, frame in enumerate(frames)]
        x = own[0]
        features: list[Tensor] = []
        for depth, (level, layer) in enumerate(zip(levels, self.down, strict=True)):
            below = max(depth - 1, 0)
            ends = (levels[below].pos, level.pos), (frames[below], frames[depth])
            x = layer(x, table_edges(level.below), *ends, own[depth])
            if depth == self.embedded:
                x = self.embeddings(x, geometry, depth, frames[depth])
            x = self.within(depth, self.rounds_down[depth](x, level, frames[depth], own[depth]), level, frames[depth])
            if self.refinements is not None:
                x, frames[depth] = self.refinements[depth](x, frames[depth])
            x = self.probes_down[depth](x, frames[depth])
            features.append(x)
        for depth in reversed(range(len(levels) - 1)):
            ends = (levels[depth + 1].pos, levels[depth].pos), (frames[depth + 1], frames[depth])
            x = self.up[depth](x, features[depth], table_edges(geometry.above[depth]), *ends)
            x = self.rounds_up[depth](x, levels[depth], frames[depth], own[depth])
            x = self.probes_up[depth](x, frames[depth])
        level, finest = levels[0], frames[0]
        for layer, probe in zip(self.decoder, self.probes_decoder, strict=True):
            x = x + layer(x, level.edge_index, (level.pos, level.pos), (finest, finest), own[0])
            x = probe(x, finest)
        return x, finest

    def within(self, depth: int, x: Tensor, level: Level, frames: Frames) -> Tensor:
        """Further layers on the way down, at each level; here none."""
        return x


def _check(
    widths: Sequence[int], radii: Sequence[float], rounds: Sequence[int], encoder_layers: int, decoder_layers: int
) -> None:
    """Raise ValueError for arguments of ``PointNet2`` that are too small or do not match."""
    check_widths(widths)
    if encoder_layers not in (0, 1):
        raise ValueError(f"expected encoder_layers 0 or 1, got {encoder_layers}")
    if decoder_layers < 0:
        raise ValueError(f"expected decoder_layers >= 0, got {decoder_layers}")
    if len(radii) != len(widths) - 1:
        raise ValueError(f"expected one radius per level after the first, {len(widths) - 1}, got {len(radii)}")
    if len(rounds) > len(radii) or min(rounds, default=0) < 0:
        raise ValueError(f"expected rounds >= 0 of at most {len(radii)} levels, got {list(rounds)}")


def _rounds(
    make: Sequence[Callable[[], nn.Module]], counts: Sequence[int], reps: Sequence[Representation]
) -> nn.ModuleList:
    """``Rounds`` of each level: numbers of layers, and functions that make one."""
    levels = zip(make, counts, reps, strict=True)
    return nn.ModuleList(Rounds([layer() for _ in range(count)], each) for layer, count, each in levels)
