"""Names that parts of networks have in weights files of format 1, and in checkpoints of that time."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from tensorframes import backbones, layers
from tensorframes.normals.final_selection import FinalSelection
from tensorframes.normals.multiscale_selection import MultiScalePlaneSelection
from tensorframes.normals.offset import Offset
from tensorframes.normals.plane_fit import PlaneFitHead
from tensorframes.normals.plane_head import PlaneHead
from tensorframes.normals.select import Select
from tensorframes.normals.small_plane_selection import SmallPlaneSelection
from tensorframes.normals.weighted_fit import WeightedFit
from tensorframes.normals.weighted_plane import PlaneFit

EARLIER_NAMES: Mapping[type[nn.Module], Mapping[str, str]] = {
    PlaneHead: {"guess": "initial_selection", "final": "final_selection", "seen": "feature_layer"},
    PlaneFitHead: {"guess": "axis", "votes": "small_planes"},
    Select: {
        "point": "point_layer",
        "measured": "measurement_layer",
        "known": "feature_layers",
        "together": "summary_layers",
        "lead": "kind_bias",
        "kind": "kind_embedding",
        "worth": "inlier_coefficients",
    },
    FinalSelection: {
        "own": "point_layer",
        "plain": "estimate_layer",
        "triangle": "sample_layer",
        "plane": "plane_layer",
        "lead": "kind_bias",
        "kind": "kind_embedding",
        "worth": "inlier_coefficients",
    },
    SmallPlaneSelection: {
        "own": "point_layer",
        "candidate": "candidate_layer",
        "count": "inlier_coefficients",
        "chosen": "feature_layer",
    },
    MultiScalePlaneSelection: {
        "own": "point_layer",
        "plane": "plane_layer",
        "kind": "size_embedding",
        "adds": "embedding_net",
    },
    PlaneFit: {
        "receiver": "receiver_layer",
        "sender": "sender_layer",
        "geometry": "edge_layer",
        "level": "level_embedding",
        "weigh": "weight_net",
        "narrowness": "distance_coefficients",
        "agreed": "strength",
    },
    WeightedFit: {
        "receiver": "receiver_layer",
        "sender": "sender_layer",
        "edge": "edge_layer",
        "level": "level_embedding",
        "narrowness": "distance_coefficients",
    },
    Offset: {"share": "step_layer"},
    layers.AnyDimensionConv: {
        "weigh": "weight_layer",
        "scalars": "scalar_net",
        "keep": "self_layer",
        "pass_on": "neighbour_layer",
    },
    layers.AnyDimensionFit: {"weigh": "weight_layer"},
    backbones.DGCNN: {"whole": "global_feature", "join": "output_net"},
    backbones.FrameAttention: {"where": "position_net", "score": "attention_net"},
    backbones.FrameEdgeConv: {"join": "output_layer"},
    backbones.FrameGINConv: {"edge": "edge_layer"},
    backbones.FrameTransformerLayer: {"arriving": "key_value_layer", "edge": "edge_layer"},
    backbones.FusionAbstraction: {"enter": "input_layer", "weigh": "radial_net"},
    backbones.GIN: {"join": "output_net"},
    backbones.MultiScaleAbstraction: {"join": "output_layer"},
    backbones.PointNet: {"each": "point_net", "whole": "global_feature", "join": "output_net"},
    backbones.PointTransformer: {"attend": "attention_layers"},
}
"""The present name of each parameter and submodule, by class and earlier name."""


def with_present_names(state: Mapping[str, Tensor], module: nn.Module) -> Mapping[str, Tensor]:
    """The state of a module with the present names, in the same order; itself if it has them already.

    Args:
        state: as of ``module.state_dict()``, with present or earlier names.
    """
    present = {key: key for key in state}
    for path, part in module.named_modules():  # a module before its submodules
        prefix, names = f"{path}." if path else "", _earlier_names(part)
        if names:
            present = {key: _renamed(now, prefix, names) for key, now in present.items()}
    if all(key == now for key, now in present.items()):
        return state
    return {present[key]: value for key, value in state.items()}


def _earlier_names(part: nn.Module) -> dict[str, str]:
    """Present names by earlier ones, without those that a subclass has given to something else."""
    tables = [names for kind, names in EARLIER_NAMES.items() if isinstance(part, kind)]
    return {name: now for names in tables for name, now in names.items() if not hasattr(part, name)}


def _renamed(key: str, prefix: str, names: Mapping[str, str]) -> str:
    """The key with the name after its prefix replaced."""
    if not key.startswith(prefix):
        return key
    name, dot, rest = key.removeprefix(prefix).partition(".")
    return f"{prefix}{names.get(name, name)}{dot}{rest}"
