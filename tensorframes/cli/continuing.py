"""To go on with a run, or to begin one with trained weights.

To go on: its checkpoint's configuration, with what the command line sets on top, and what it may not.
"""

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from tensorframes.cli.checkpoint import read_checkpoint
from tensorframes.cli.named import named_estimator
from tensorframes.errors import UserError
from tensorframes.recipes import check_trusted, targets
from tensorframes.training import NormalTraining

log = logging.getLogger(__name__)

KEPT = ("backbone", "frames", "messages", "task", "model")
"""The keys of the configuration that describe the model and its task; a continued run must not change them."""

STATE = ("epoch", "global_step", "pytorch-lightning_version", "loops", "optimizer_states", "lr_schedulers")
SETTINGS = ("trainer.max_steps", "loader.batch_size", "task.loss", "data.samples", "data.protocol")


def continued(cfg: DictConfig, overrides: tuple[str, ...]) -> DictConfig:
    """The configuration to continue with: the checkpoint's own, with what this command line sets on top.

    Where an experiment is named again, the command line is taken to be whole, and the checkpoint's is not used.

    Raises:
        UserError: the checkpoint can't be read or lacks settings, or the command line changes what was trained.
    """
    if cfg.ckpt_path is None:
        return cfg
    config = read_checkpoint(cfg.ckpt_path)["tensorframes"]["config"]
    given = OverridesParser.create().parse_overrides(list(overrides))
    if any(override.key_or_group == "experiment" for override in given):
        return cfg
    check_whole(config, cfg)
    saved = OmegaConf.create({**config, "start_from": None})
    try:
        resolved = OmegaConf.to_container(saved, resolve=True)  # an interpolation may make a node, too
        check_trusted(resolved, trusted_packages(cfg), own_functions=True)
    except UserError as error:
        raise UserError(f"{cfg.ckpt_path}: {error}") from error
    for override in given:
        key = key_of(override)
        if any(f"{key}.".startswith(f"{kept}.") for kept in KEPT) and plain(saved, key) != plain(cfg, key):
            raise UserError(f"expected {key} to stay what it was in {cfg.ckpt_path}, got {override.input_line}")
        if not override.is_delete():
            OmegaConf.update(saved, key, OmegaConf.select(cfg, key), merge=False, force_add=True)
    return saved


def trusted_packages(cfg: DictConfig) -> list[str]:
    """Packages whose classes a file may name, besides this one and torch: Lightning, those that the user trusts, and
    those of his own configuration, which he has had called already."""
    named = targets(OmegaConf.to_container(cfg, resolve=False))
    return list(dict.fromkeys(["pytorch_lightning", *cfg.trusted, *(name.partition(".")[0] for name in named)]))


def plain(cfg: DictConfig, key: str) -> Any:
    """A setting as plain values, interpolations resolved; None where there is none."""
    node = OmegaConf.select(cfg, key)
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def key_of(override: Override) -> str:
    """Where in the configuration an override writes."""
    return str(override.package or override.key_or_group).replace("/", ".")


def check_whole(config: dict[str, Any], cfg: DictConfig) -> None:
    """A checkpoint's configuration has every setting of the program's own that is read whatever is trained.

    Raises:
        UserError: one is missing.
    """
    for path in (*(str(key) for key in cfg if key != "start_from"), *SETTINGS):
        node: Any = config
        for key in path.split("."):
            if not isinstance(node, dict) or key not in node:
                raise UserError(f"expected the whole configuration of a run in {cfg.ckpt_path}, got one without {path}")
            node = node[key]


def check_continues(cfg: DictConfig) -> None:
    """A checkpoint holds the training's state, of the model configured, and there is something left to train.

    Raises:
        UserError: it doesn't, or there isn't.
    """
    path, max_steps = cfg.ckpt_path, cfg.trainer.max_steps
    content = read_checkpoint(path)
    if missing := [key for key in STATE if key not in content]:
        raise UserError(f"expected a checkpoint to continue from, got {path}, which has no {missing[0]}")
    if content["global_step"] >= max_steps:
        raise UserError(
            f"expected trainer.max_steps above the {content['global_step']} steps already trained, got {max_steps}"
        )
    check_same(content["tensorframes"]["model"], OmegaConf.to_container(cfg.model, resolve=True), "model", path)


def check_same(saved: Any, given: Any, key: str, path: str | Path) -> None:
    """What two descriptions of a model both have is the same; a newer version's may have more.

    Raises:
        UserError: something differs.
    """
    if isinstance(saved, dict) and isinstance(given, dict):
        for name in saved.keys() & given.keys():
            check_same(saved[name], given[name], f"{key}.{name}", path)
    elif saved != given:
        raise UserError(f"expected {key} to stay what it was in {path}, {saved}, got {given}")


def load_weights(module: NormalTraining, path: str | Path) -> None:
    """The checkpoint's weights, averaged if there is an average.

    Raises:
        UserError: they are another model's.
    """
    try:
        module.load_state_dict(read_checkpoint(path)["state_dict"])
    except RuntimeError as error:
        raise UserError(f"expected a checkpoint of the model configured, got another model's in {path}") from error


def begin_with(module: NormalTraining, name: str, trusted: Sequence[str]) -> None:
    """Give the estimator the weights that ``start_from`` names; everything else of the run begins anew, also parts of
    the model that the weights lack, which are logged.

    Raises:
        UserError: there are none of that name, or they are another model's.
    """
    weights, own = named_estimator(name, trusted, "start_from").state_dict(), module.estimator.state_dict()
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


def roots(missing: Sequence[str], known: Collection[str]) -> list[str]:
    """The parts of a model that missing parameters belong to, two names deep or as deep as none of theirs is known,
    each once."""
    found = []
    for key in missing:
        names = key.split(".")
        parts = (".".join(names[:depth]) for depth in range(2, len(names)))
        found.append(next((part for part in parts if not any(name.startswith(f"{part}.") for name in known)), key))
    return list(dict.fromkeys(found))
