"""Initialisation of a run with trained weights, whose network it may take."""

import logging
from collections.abc import Collection, Sequence
from pydoc import locate
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from tensorframes.cli.continuing import MODEL, has_changes_alone, key_of, trusted_packages
from tensorframes.cli.trained import Trained, load_trained
from tensorframes.errors import UserError
from tensorframes.training import ConfidenceTraining, NormalTraining
from tensorframes.training.confidence import LEARNED

log = logging.getLogger(__name__)

MESSAGES = "messages"
"""Key of the kind of messages in a recipe: all its values tell what features are, numbers too."""


def with_network(cfg: DictConfig, overrides: Sequence[str]) -> tuple[DictConfig, Trained | None]:
    """The configuration with a whole ``model``: where it names no class, it is changes to the network of the weights
    that the run begins with, or continues; and these, where they were read for it.

    Raises:
        UserError: there are no such weights, their head cannot have a model of its error, or the command line chooses
            parts of another network.
    """
    if not has_changes_alone(cfg):
        return cfg, None
    key = "start_from" if cfg.ckpt_path is None else "ckpt_path"
    name = cfg[key]
    if not isinstance(name, str):
        found = "none" if name is None else name
        raise UserError(f"expected {key} to name the weights whose network is taken, got {found}")
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        if key_of(override).partition(".")[0] in MODEL[:-1]:
            raise UserError(f"expected the network of {name} as it is, got {override.input_line}")
    trained = load_trained(name, trusted_packages(cfg), key)
    head = getattr(trained.estimator, "head", None)
    if OmegaConf.select(cfg.model, "head.error") is not None and not hasattr(head, "error"):
        kind = type(head).__name__
        raise UserError(f"expected weights with a PlaneHead, which can have a model of its error, got {kind} in {name}")
    cfg = cfg.copy()
    cfg.model = OmegaConf.merge(trained.recipe, cfg.model)
    return cfg, trained


def begin_with(module: NormalTraining, trained: Trained, model: Any) -> None:
    """Initialise the estimator with trained weights.

    All other state is new. Parts of the model that the weights lack keep their initialisation, and are logged; so does
    the model of the error where it is what is trained. Where the model has none, that of the weights is left out:
    normals do not depend on it.

    Args:
        module: its estimator is initialised. trained: the weights. model: the recipe of the module's estimator.

    Raises:
        UserError: they are those of another model.
    """
    name, own = trained.name, module.estimator.state_dict()
    weights, different = trained.estimator.state_dict(), differences(trained.recipe, model)
    if isinstance(module, ConfidenceTraining) or not any(key.startswith(f"{LEARNED}.") for key in own):
        weights = {key: value for key, value in weights.items() if not key.startswith(f"{LEARNED}.")}
        different = [each for each in different if not each[0].startswith(LEARNED)]
    if different:
        pairs = ", ".join(f"{key} {saved} (here {given})" for key, saved, given in different)
        raise UserError(
            f"expected start_from to name weights of the model configured, got {name} with {pairs}: name the "
            "experiment of these weights, too"
        )
    for key, value in weights.items():
        if key not in own or own[key].shape != value.shape:
            here = f"one of {tuple(own[key].shape)}" if key in own else "none"
            raise UserError(
                f"expected start_from to name weights of the model configured, got {key} of {tuple(value.shape)} in "
                f"{name} where the model has {here}: name the experiment of these weights, too"
            )
    module.estimator.load_state_dict(weights, strict=False)
    if missing := [key for key in own if key not in weights]:
        log.info("%s has no weights for %s: they begin anew", name, ", ".join(roots(missing, weights)))


def roots(missing: Sequence[str], present: Collection[str]) -> list[str]:
    """The parts of a model that missing parameters belong to, each once.

    A part is the shortest prefix of at least two names without any present parameter, or the parameter itself.
    """
    found = []
    for key in missing:
        names = key.split(".")
        parts = (".".join(names[:depth]) for depth in range(2, len(names)))
        found.append(next((part for part in parts if not any(name.startswith(f"{part}.") for name in present)), key))
    return list(dict.fromkeys(found))


def differences(saved: Any, given: Any, key: str = "") -> list[tuple[str, Any, Any]]:
    """The settings by which features of two networks differ in meaning, whatever the shapes of the parameters: classes,
    names (of a group, of an aggregation), and all values of messages.

    Other numbers, such as those of neighbours, and switches of parts may differ, as may settings that one lacks.

    Args:
        saved: a recipe. given: another one. key: of both in the whole recipes; empty for these.

    Returns:
        The key of each, with its value in both; classes without their packages.
    """
    if isinstance(saved, dict) and isinstance(given, dict):
        classes = [str(recipe.get("_target_", "")) for recipe in (saved, given)]
        if all(classes) and locate(classes[0]) is not locate(classes[1]):
            here, there = (name.rpartition(".")[2] for name in classes)
            return [(key or "model", here, there)]
        shared = [name for name in saved if name in given and name != "_target_"]
        return [each for name in shared for each in differences(saved[name], given[name], f"{key}.{name}".lstrip("."))]
    matters = MESSAGES in key.split(".") or holds_name(saved) or holds_name(given)
    return [(key, saved, given)] if matters and saved != given else []


def holds_name(value: Any) -> bool:
    """Whether a plain value is a text, or a list with one."""
    return isinstance(value, str) or (isinstance(value, list) and any(map(holds_name, value)))
