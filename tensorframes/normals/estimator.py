"""Points in, normals out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from tensorframes.backbones import Backbone
from tensorframes.frames import FrameFinder, Frames
from tensorframes.geometry import PROFILE, Hierarchy, cloud_scale, nearest_neighbours, profiles
from tensorframes.geometry.distances import distinct_points
from tensorframes.layers import KnownProfile
from tensorframes.normals.heads import Head
from tensorframes.normals.prediction import Prediction
from tensorframes.parallel import parallel_map
from tensorframes.reps import Representation


class NormalEstimator(nn.Module):
    r"""A normal for every point: frames, then the backbone in these frames, then the head.

    Points that are equal in the network's precision are merged first (they get the same normal); positions are centred
    and divided by their cloud's scale.

    SO(3) frames (``frames.mirrors``) answer a reflection by S R_i, S = diag(1, 1, -1). In evaluation mode the network
    then runs twice, with all R_i and with all S R_i, and the head decides by the mean of what both say: exactly
    O(3)-equivariant up to sign, also where a neighbourhood is flat. In training mode it runs once, on one of the two,
    by the toss of a coin: both are learned, also from clouds that are never reflected.

    Args:
        frames: finds the frames.
        backbone: the network.
        head: makes the head from the representation of the backbone's features.
        oriented: claim that signs mean something. SO(3) frames cannot claim it.
    """

    exact = True  # positions may come in float64, whatever the network's precision

    def __init__(
        self,
        frames: FrameFinder,
        backbone: Backbone,
        head: Callable[[Representation], Head],
        oriented: bool = False,
    ) -> None:
        super().__init__()
        if oriented and frames.mirrors:
            raise ValueError("expected frames of O(3) for oriented normals, got SO(3) frames, which average n and -n")
        levels = backbone.levels if frames.per_level else 1
        self.frames = nn.ModuleList(copy.deepcopy(frames) for _ in range(levels))  # type: ignore[arg-type]
        self.backbone = backbone
        self.head = head(backbone.reps)
        if (asked := getattr(self.head, "coarse", 0)) >= backbone.levels:
            raise ValueError(f"expected wide planes of at most {backbone.levels - 1} coarse levels, got {asked}")
        self.profiled = any(isinstance(part, KnownProfile) for part in self.modules())
        if self.profiled and backbone.levels < 2:
            raise ValueError(
                "expected a backbone with coarse levels, where clouds' profiles are measured, got one level"
            )
        self.oriented = oriented
        self.mirrors = frames.mirrors

    def forward(
        self,
        pos: Tensor,
        batch: Tensor | None = None,
        scale: Tensor | None = None,
        rows: Tensor | None = None,
        profile: Tensor | None = None,
    ) -> Prediction:
        """Normals of the points.

        Args:
            pos: (N, 3) positions, finite, in the network's precision or in float64, which is the more exact.
            batch: (N,) cloud of each point, ascending; by default one cloud.
            scale: (B,) each cloud's length scale; by default ``cloud_scale``. For a piece of a cloud that of the whole.
            rows: (M,) the points whose normals are asked for; by default all, in order.
            profile: (B, PROFILE) each cloud's ``thickness_profile``, where the network asks for it; by default measured
                at the points of its coarsest level. For a patch of a cloud that of the whole.
        """
        if pos.dim() != 2 or pos.shape[-1] != 3 or len(pos) == 0:
            raise ValueError(f"expected positions (N, 3) of at least one point, got shape {tuple(pos.shape)}")
        expected = next(self.parameters()).dtype
        if pos.dtype not in (expected, torch.float64):
            raise ValueError(f"expected positions of {expected}, the network's, got {pos.dtype}")
        batch = torch.zeros(len(pos), dtype=torch.long, device=pos.device) if batch is None else batch
        distinct = distinct_points(pos if pos.dtype == expected else _centred(pos, batch).to(expected), batch)
        points, batch_of = pos.index_select(0, distinct.first), batch.index_select(0, distinct.first)
        with torch.no_grad():
            near = nearest_neighbours(points, batch_of, max(self.backbone.neighbours, self.head.reach))
            lengths = cloud_scale(points, batch_of, table=near) if scale is None else scale
            # Samples and neighbours are chosen in float64: each further rounding could decide some of them otherwise.
            exact = _normalise(points, batch_of, lengths)
            hierarchy = self.backbone.plan(exact, batch_of, near)
            if self.profiled:
                found = profiles(exact, batch_of, hierarchy.levels[-1].rows) if profile is None else profile
                if found.shape != (expected_shape := (hierarchy.clouds, PROFILE)):
                    raise ValueError(f"expected profiles of shape {expected_shape}, got {tuple(found.shape)}")
                hierarchy = replace(hierarchy, profile=found)
            prepare = getattr(self.head, "prepare", None)  # not every head has something to find here
            if prepare is not None:
                prepare(hierarchy)
            hierarchy = hierarchy.to(expected)
            asked = distinct.index if rows is None else distinct.index.index_select(0, rows)
            needed, place = torch.unique(asked, return_inverse=True)
            plan = self.head.plan(hierarchy, needed)
        normal, steps, fallback = self._passes(hierarchy, needed, plan)
        return Prediction(normal.index_select(0, place), steps.index_select(1, place), fallback.index_select(0, place))

    @torch.no_grad()
    def measured_profile(self, pos: Tensor, scale: float) -> Tensor:
        """(1, PROFILE) of one cloud of distinct points (N, 3) with its scale, measured as where none is given:
        for pieces of it."""
        parameter, batch = next(self.parameters()), torch.zeros(len(pos), dtype=torch.long)
        exact = _normalise(pos, batch, pos.new_tensor([scale])).to(parameter.device)
        batch = batch.to(parameter.device)
        return profiles(exact, batch, self.backbone.plan(exact, batch).levels[-1].rows).to(parameter)

    def find_frames(self, hierarchy: Hierarchy) -> list[Frames]:
        """The frames of every level."""
        levels = hierarchy.levels
        first = self.frames[0](levels[0].pos, levels[0].edge_index, levels[0].batch)
        if len(self.frames) == 1:
            return [first.index_select(level.rows) for level in levels]
        rest = zip(self.frames[1:], levels[1:], strict=True)  # type: ignore[arg-type]
        coarse = [
            finder(level.pos, level.edge_index, level.batch, first.index_select(level.rows)) for finder, level in rest
        ]
        return [first, *coarse]

    def _passes(self, hierarchy: Hierarchy, rows: Tensor, plan: Any) -> tuple[Tensor, Tensor, Tensor]:
        frames = self.find_frames(hierarchy)
        source = frames[0].fallback
        fallback = rows.new_zeros(len(rows), dtype=torch.uint8) if source is None else source.index_select(0, rows)
        mirrored = [frame.mirrored() for frame in frames] if self.mirrors else frames
        if self.training:
            passes = [mirrored if bool(torch.rand(()) < 0.5) else frames]
        else:
            passes = [frames, mirrored] if self.mirrors else [frames]
        device = hierarchy.levels[0].pos.device
        readings = parallel_map(lambda each: self.head.read(*self.backbone(hierarchy, each), plan), passes, device)
        normal, steps = self.head(readings, plan)
        return normal, steps, fallback


def _normalise(pos: Tensor, batch: Tensor, lengths: Tensor) -> Tensor:
    """Positions centred on their cloud's mean, in units of its scale, float64."""
    clouds = int(batch.max()) + 1
    if lengths.shape != (clouds,):
        raise ValueError(f"expected one scale for each of {clouds} clouds, got shape {tuple(lengths.shape)}")
    return _centred(pos, batch) / lengths.double().index_select(0, batch).unsqueeze(-1)


def _centred(pos: Tensor, batch: Tensor) -> Tensor:
    """Positions from their cloud's mean, float64."""
    exact, clouds = pos.double(), int(batch.max()) + 1
    count = torch.bincount(batch, minlength=clouds).clamp_min(1).unsqueeze(-1)
    mean = exact.new_zeros(clouds, pos.shape[-1]).index_add(0, batch, exact) / count
    return exact - mean.index_select(0, batch)
