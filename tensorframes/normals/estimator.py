"""``NormalEstimator``: the network from points to normals."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Generic

import torch
from torch import Tensor, nn

from tensorframes.backbones import Backbone
from tensorframes.errors import UserError
from tensorframes.frames import FrameFinder, Frames
from tensorframes.geometry import Hierarchy, thinned_rows, variation_profile, variation_profiles
from tensorframes.layers import Geometry, measured
from tensorframes.normals.heads import Head, PlanT, ReadingT
from tensorframes.normals.interface import Estimator
from tensorframes.normals.normalise import SAMPLED, in_scale, normalised
from tensorframes.normals.prediction import Prediction
from tensorframes.parallel import parallel_map
from tensorframes.reps import Representation, full_precision

PROFILED = 8192
"""Points at which the profile of a large cloud is measured."""


class NormalEstimator(Estimator, Generic[PlanT, ReadingT]):
    r"""A normal for every point: frames, then the backbone in these frames, then the head.

    Equal points are merged, positions are centred and divided by their cloud's scale (``normalise.normalised``).

    A reflection maps SO(3) frames (``FrameFinder.mirrors``) to S R_i, S = diag(1, 1, -1). In evaluation mode the
    network then runs twice, with all R_i and with all S R_i, and the head combines both readings symmetrically. The
    normals are exactly O(3)-equivariant up to sign, also where a neighbourhood is flat. In training mode it runs once,
    on one of the two at random, so that both are learned without reflected clouds.

    Args:
        frames: finds the frames.
        backbone: the network.
        head: makes the head from the representation of the backbone's features.
        oriented: whether the signs of the normals carry information; not possible with SO(3) frames.

    Raises:
        ValueError: oriented normals from SO(3) frames, a backbone with too few levels for the head, or a part that is
            of another class.
    """

    accepts_float64 = True

    def __init__(
        self,
        frames: FrameFinder,
        backbone: Backbone,
        head: Callable[[Representation], Head[PlanT, ReadingT]],
        oriented: bool = False,
    ) -> None:
        super().__init__()
        check_parts(frames, backbone)
        if oriented and frames.mirrors:
            raise ValueError("expected frames of O(3) for oriented normals, got SO(3) frames, which average n and -n")
        levels = backbone.levels if frames.per_level else 1
        self.frames = nn.ModuleList(copy.deepcopy(frames) for _ in range(levels))
        self.backbone = backbone
        self.head = head(backbone.reps)
        if not isinstance(self.head, Head):
            raise ValueError(f"expected a head, a subclass of Head, got {type(self.head).__name__}")
        self.requirements = backbone.requirements | self.head.requirements
        self.requirements.check_levels(backbone.hierarchy_levels)
        self.needs_profile, self.concurrent_points = self.requirements.profile, self.head.concurrent_points
        self.oriented, self.equivariant = oriented, frames.equivariant
        self.predicts_error = self.head.predicts_error
        self.mirrors = frames.mirrors

    def forward(
        self,
        pos: Tensor,
        batch: Tensor | None = None,
        scale: Tensor | None = None,
        rows: Tensor | None = None,
        profile: Tensor | None = None,
    ) -> Prediction:
        """Normals of the points; arguments as in ``Estimator.forward``.

        Raises:
            ValueError: there are no positions, or these are neither in the network's precision nor float64.
        """
        if pos.dim() != 2 or pos.shape[-1] != 3 or len(pos) == 0:
            raise ValueError(f"expected positions (N, 3) of at least one point, got shape {tuple(pos.shape)}")
        dtype = next(self.parameters()).dtype
        if pos.dtype not in (dtype, torch.float64):
            raise ValueError(f"expected positions of {dtype}, the network's, got {pos.dtype}")
        batch = torch.zeros(len(pos), dtype=torch.long, device=pos.device) if batch is None else batch
        geometry, plan, needed, place = self.planned(pos, batch, scale, rows, profile)
        frames = self.find_frames(geometry)
        prediction = self.in_frames(geometry, frames, plan)
        source = frames[0].fallback
        fallback = place.new_zeros(len(needed), dtype=torch.uint8) if source is None else source.index_select(0, needed)
        return replace(prediction, fallback=fallback).index_select(place)

    @full_precision
    @torch.no_grad()
    def planned(
        self, pos: Tensor, batch: Tensor, scale: Tensor | None, rows: Tensor | None, profile: Tensor | None
    ) -> tuple[Geometry, PlanT, Tensor, Tensor]:
        """The geometry, the head's plan, the points (M,) that it needs, and the place of each row among them.

        Arguments as in ``Estimator.forward``.
        """
        geometry, index = self.geometry(pos, batch, scale, profile)
        asked = index if rows is None else index.index_select(0, rows)
        needed, place = torch.unique(asked, return_inverse=True)
        return geometry, self.head.plan(geometry, needed), needed, place

    @full_precision
    def geometry(
        self, pos: Tensor, batch: Tensor, scale: Tensor | None = None, profile: Tensor | None = None
    ) -> tuple[Geometry, Tensor]:
        """The geometry of clouds in the network's precision, computed in float64, and each row's point in it (N,).

        Arguments as in ``Estimator.forward``.
        """
        dtype = next(self.parameters()).dtype
        neighbours = max(self.backbone.neighbours, self.requirements.neighbours)
        clouds = normalised(pos, batch, dtype, neighbours, scale)
        hierarchy = self.backbone.plan(clouds.pos, clouds.batch, clouds.knn_index)
        return measured(hierarchy, self.requirements, profile).to(dtype), clouds.index

    @full_precision
    @torch.no_grad()
    def measured_profile(self, pos: Tensor, scale: float) -> Tensor | None:
        """As in ``Estimator``; only the coarsest level is sampled.

        Of more than SAMPLED points it is an estimate from PROFILED of them, each weighted by the area it stands for.
        """
        if not self.needs_profile:
            return None
        parameter = next(self.parameters())
        batch = torch.zeros(len(pos), dtype=torch.long, device=pos.device)
        exact = in_scale(pos, batch, pos.new_tensor([scale])).to(parameter.device)
        if len(pos) > SAMPLED:
            rows = torch.from_numpy(thinned_rows(pos.cpu().numpy(), PROFILED)).to(parameter.device)
            return variation_profile(exact, rows, weigh=True).unsqueeze(0).to(parameter)
        batch = batch.to(parameter.device)
        return variation_profiles(exact, batch, self.backbone.coarsest_rows(exact, batch)).to(parameter)

    def find_frames(self, hierarchy: Hierarchy) -> list[Frames]:
        """The frames of every level that the backbone works on."""
        levels = hierarchy.levels[: self.backbone.levels]
        finders: list[nn.Module] = list(self.frames)
        first = checked_frames(
            finders[0], finders[0](levels[0].pos, levels[0].edge_index, levels[0].batch), levels[0].pos
        )
        if len(finders) == 1:
            return [first.index_select(level.rows) for level in levels]
        coarse = []
        for finder, level in zip(finders[1:], levels[1:], strict=True):
            result = finder(level.pos, level.edge_index, level.batch, first.index_select(level.rows))
            coarse.append(checked_frames(finder, result, level.pos))
        return [first, *coarse]

    def in_frames(self, geometry: Geometry, frames: list[Frames], plan: PlanT) -> Prediction:
        """Normals (M, 3) and iterates (S, M, 3), from one reading in training, from one for each of the equivalent
        frames in evaluation."""
        mirrored = [frame.mirrored() for frame in frames] if self.mirrors else frames
        if self.training:
            passes = [mirrored if bool(torch.rand(()) < 0.5) else frames]
        else:
            passes = [frames, mirrored] if self.mirrors else [frames]

        def read(each: list[Frames]) -> ReadingT:
            features, last = checked(self.backbone, self.backbone(geometry, each), geometry.levels[0].pos)
            return self.head.read(features, last, plan)

        readings = parallel_map(read, passes, geometry.levels[0].pos.device)
        prediction: Prediction = self.head(readings, plan)
        return prediction


def check_parts(frames: object, backbone: object) -> None:
    """Raise ValueError unless the parts are of the classes that they must be, and a backbone has what it must set."""
    for part, kind in ((frames, FrameFinder), (backbone, Backbone)):
        if not isinstance(part, kind):
            raise ValueError(f"expected a subclass of {kind.__name__}, got {type(part).__name__}")
    missing = [name for name in ("features", "reps", "neighbours") if not hasattr(backbone, name)]
    if missing:
        done = "calls Backbone.__init__" if "features" in missing else f"sets {' and '.join(missing)}"
        raise ValueError(f"expected a backbone that {done}, got {type(backbone).__name__}, which does not")


def checked(backbone: Backbone, result: object, pos: Tensor) -> tuple[Tensor, Frames]:
    """What a backbone returned for points pos (N, 3): features (N, reps.dim) and their frames.

    Raises:
        UserError: it returned something else.
    """
    name = type(backbone).__name__
    parts = result if isinstance(result, tuple) else (result,)
    if [isinstance(part, kind) for part, kind in zip(parts, (Tensor, Frames), strict=False)] != [True, True]:
        got = ", ".join(type(part).__name__ for part in parts)
        raise UserError(f"expected features and Frames from {name}.forward, got {got}")
    features, frames = parts
    expected = (pos.shape[0], backbone.reps.dim)  # len would fix their number in an exported program
    if tuple(features.shape) != expected:
        raise UserError(f"expected features {expected} from {name}.forward, got shape {tuple(features.shape)}")
    kinds = {pos.dtype, *(weight.dtype for weight in backbone.parameters())}
    if features.dtype not in kinds and not torch.is_autocast_enabled(pos.device.type):
        raise UserError(f"expected features of {pos.dtype} from {name}.forward, got {features.dtype}")
    return features, frames


@full_precision
def checked_frames(finder: nn.Module, result: object, pos: Tensor) -> Frames:
    """What a frame finder returned for points pos (N, 3): N frames.

    Raises:
        UserError: it returned something else.
    """
    name = type(finder).__name__
    if not isinstance(result, Frames):
        raise UserError(f"expected {name} to return Frames, got {type(result).__name__}")
    expected = (pos.shape[0], 3, 3)
    if tuple(result.matrices.shape) != expected:
        shape = tuple(result.matrices.shape)
        raise UserError(f"expected frames {expected} from {name}.forward, got shape {shape}")
    return result
