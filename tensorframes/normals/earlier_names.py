"""Names of parts and settings of networks in earlier weights files, checkpoints and configurations of runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from tensorframes import backbones, layers
from tensorframes.errors import UserError
from tensorframes.normals.final_selection import FinalSelection
from tensorframes.normals.multiscale_selection import MultiScalePlaneSelection
from tensorframes.normals.offset import Offset
from tensorframes.normals.plane_fit import PlaneFitHead
from tensorframes.normals.plane_head import PlaneHead
from tensorframes.normals.select import Select
from tensorframes.normals.small_plane_selection import SmallPlaneSelection
from tensorframes.normals.weighted_fit import WeightedFit
from tensorframes.normals.weighted_plane import PlaneFit

Table = TypeVar("Table")

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
"""The present name of each parameter and submodule, by class and earlier name (weights files of format 1)."""

EARLIER_SETTINGS: Mapping[type[nn.Module], Mapping[str, str]] = {
    PlaneHead: {"guess": "initial_selection", "final": "final_selection"},
    PlaneFitHead: {
        "candidates": "candidate_neighbours",
        "minimal_samples": "sample_neighbours",
        "final_selection.nearest": "final_selection.sample_neighbours",
        "final_selection.slender": "final_selection.squared_sines",
    },
}
"""The present name of each setting in recipes, by class and earlier name (weights files of format 1 and 2)."""

FIXED_SETTINGS: Mapping[type[nn.Module], tuple[str, ...]] = {
    PlaneFitHead: ("robust", "pooled_moments", "bilateral_prior", "offsets"),
}
"""Settings in recipes that chose parts which all networks of the class have now."""


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


def present_recipe(recipe: Any, path: str | Path) -> Any:
    """The recipe, or the configuration with recipes, in a file, as recipes are at present.

    Args:
        recipe: plain values. path: of the file, for messages.

    Raises:
        UserError: see ``without_fixed_settings``.
    """
    return without_fixed_settings(with_present_settings(recipe), path)


def without_fixed_settings(node: Any, path: str | Path) -> Any:
    """Recipes without FIXED_SETTINGS.

    Args:
        node: plain values. path: of their file, for messages.

    Raises:
        UserError: one is of a network without one of these parts.
    """
    if isinstance(node, list):
        return [without_fixed_settings(item, path) for item in node]
    if not isinstance(node, Mapping):
        return node
    fixed = _of_class(FIXED_SETTINGS, node) or ()
    if lacking := [f"{name}={node[name]}" for name in fixed if node.get(name, True) is not True]:
        kind = node["_target_"].rpartition(".")[2]
        raise UserError(f"{path}: expected a {kind} with all parts, got one with {', '.join(lacking)}")
    return {name: without_fixed_settings(value, path) for name, value in node.items() if name not in fixed}


def with_present_settings(recipe: Any) -> Any:
    """Recipes with the present names of settings, in the same order; interpolations (``${task.head.guess}``) refer to
    these.

    Args:
        recipe: plain values.
    """
    places: dict[str, str] = {}
    present = _with_present_settings(recipe, {}, "", places)
    return _with_references(present, places) if places else present


def _with_present_settings(node: Any, names: Mapping[str, str], place: str, places: dict[str, str]) -> Any:
    """Recipes with present names; the keys of renamed settings are added to ``places``.

    Args:
        node: recipes. names: present names of its settings by earlier ones. place: its key, ending in a dot.
        places: present keys by earlier ones.
    """
    if isinstance(node, list):
        return [_with_present_settings(item, {}, f"{place}{index}.", places) for index, item in enumerate(node)]
    if not isinstance(node, Mapping):
        return node
    names = {**names, **(_of_class(EARLIER_SETTINGS, node) or {})}
    present = {}
    for name, value in node.items():
        now = names.get(name, name)
        if now != name:
            places[f"{place}{name}"] = f"{place}{now}"
        inner = {key.partition(".")[2]: of.partition(".")[2] for key, of in names.items() if key.startswith(f"{now}.")}
        present[now] = _with_present_settings(value, inner, f"{place}{now}.", places)
    return present


def _of_class(tables: Mapping[type[nn.Module], Table], recipe: Mapping[Any, Any]) -> Table | None:
    """The table of the class of this package that a recipe is of, if there is one; nothing is imported."""
    package, _, target = str(recipe.get("_target_")).partition(".")
    known = {kind.__name__: table for kind, table in tables.items()}
    return known.get(target.rpartition(".")[2]) if package == "tensorframes" else None


def _with_references(node: Any, places: Mapping[str, str]) -> Any:
    """A node whose interpolations refer to the present keys of renamed settings."""
    if isinstance(node, list):
        return [_with_references(item, places) for item in node]
    if isinstance(node, Mapping):
        return {name: _with_references(value, places) for name, value in node.items()}
    if isinstance(node, str):
        for place, now in places.items():
            node = re.sub(rf"\$\{{{re.escape(place)}(?=[.}}\[])", f"${{{now}", node)
    return node
