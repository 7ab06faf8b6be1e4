"""Continuation of a run from its checkpoint.

A continued run has the configuration in its checkpoint, with the overrides of the command line.
"""

import logging
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from tensorframes.cli.checkpoint import read_checkpoint
from tensorframes.cli.checks import plain
from tensorframes.cli.results import shown
from tensorframes.cli.runs import METRICS, read_metrics
from tensorframes.cli.started import FILE as COMMAND
from tensorframes.errors import UserError
from tensorframes.normals.earlier_names import with_present_names
from tensorframes.recipes import check_trusted, targets
from tensorframes.training import NormalTraining
from tensorframes.words import counted

log = logging.getLogger(__name__)

MODEL = ("backbone", "features", "frames", "messages", "task", "model")
"""The keys of the configuration that describe the model and its task; a continued run must not change them."""

STATE = ("epoch", "global_step", "pytorch-lightning_version", "loops", "optimizer_states", "lr_schedulers")
SETTINGS = ("trainer.max_steps", "loader.batch_size", "task.loss", "data.samples", "data.protocol")


LAST = "last"
"""Value of ``ckpt_path``: last.ckpt of the run's own folder, if there is one."""


def with_last(cfg: DictConfig, folder: Path) -> DictConfig:
    """The configuration with the checkpoint that ``ckpt_path=last`` means: that of the run in ``folder``, or none.

    So one command begins a run, and continues it where that was ended; a launcher of jobs can repeat it.
    """
    if cfg.ckpt_path != LAST:
        return cfg
    last = folder / "checkpoints" / "last.ckpt"
    cfg = cfg.copy()
    cfg.ckpt_path = str(last) if last.is_file() else None
    if cfg.ckpt_path is not None:
        cfg.start_from = None
    return cfg


def check_unused(cfg: DictConfig, folder: Path) -> None:
    """Check that the folder of a training run holds no other run, whose files would be mixed with its own. What one
    leaves that ended before its first checkpoint is replaced.

    Raises:
        UserError: it holds a checkpoint, and the run does not continue from one in it.
    """
    last = folder / "checkpoints" / "last.ckpt"
    own = cfg.ckpt_path is not None and Path(cfg.ckpt_path).resolve().is_relative_to(folder.resolve())
    if last.is_file() and not own:
        raise UserError(f"expected a folder without a run, got {shown(folder)}; ckpt_path=last continues the run there")


def check_untrained(folder: Path) -> None:
    """Check that the folder of an evaluation holds no training run, even one without a checkpoint: its settings and
    scores would be replaced.

    Raises:
        UserError: it holds one.
    """
    if (folder / "checkpoints").is_dir() or (folder / COMMAND).is_file():
        raise UserError(f"expected hydra.run.dir to be a folder without a training run, got {shown(folder)}")


def unstarted(cfg: DictConfig) -> DictConfig:
    """The configuration without the weights that an experiment begins with."""
    cfg = cfg.copy()
    cfg.start_from = None
    return cfg


def continued(cfg: DictConfig, overrides: tuple[str, ...]) -> DictConfig:
    """The configuration of a continued run: that in the checkpoint, with the overrides of this command line.

    If the command line names an experiment or ``ckpt_path=last``, it is used alone, without the configuration in the
    checkpoint.

    Raises:
        UserError: the checkpoint can't be read or lacks settings, or the command line changes the model.
    """
    if cfg.ckpt_path is None:
        return cfg
    config = read_checkpoint(cfg.ckpt_path, "last.ckpt")["tensorframes"]["config"]
    given = OverridesParser.create().parse_overrides(list(overrides))
    if any(override.key_or_group == "experiment" or override.input_line == f"ckpt_path={LAST}" for override in given):
        return cfg if any(override.key_or_group == "start_from" for override in given) else unstarted(cfg)
    check_whole(config, cfg)
    saved = OmegaConf.create({**config, "start_from": None})
    try:
        resolved = OmegaConf.to_container(saved, resolve=True)  # an interpolation may create a node, too
        check_trusted(resolved, trusted_packages(cfg), own_functions=True)
    except UserError as error:
        raise UserError(f"{cfg.ckpt_path}: {error}") from error
    for override in given:
        key = key_of(override)
        if key == "model" and has_changes_alone(cfg):  # the network in the checkpoint has them
            continue
        of_model = any(f"{key}.".startswith(f"{part}.") for part in MODEL)
        if of_model and plain(OmegaConf.select(saved, key)) != plain(OmegaConf.select(cfg, key)):
            raise UserError(f"expected {key} to stay what it was in {cfg.ckpt_path}, got {override.input_line}")
        if not override.is_delete():
            OmegaConf.update(saved, key, OmegaConf.select(cfg, key), merge=False, force_add=True)
    return saved


def has_changes_alone(cfg: DictConfig) -> bool:
    """Whether ``model`` names no class: it is changes to the network of trained weights."""
    model = cfg.get("model")
    return model is not None and "_target_" not in model


def trusted_packages(cfg: DictConfig) -> list[str]:
    """Packages whose classes a file may name, in addition to this one and torch.

    These are Lightning, those in ``trusted``, and those in the user's own configuration, whose code runs anyway.
    """
    named = targets(OmegaConf.to_container(cfg, resolve=False))
    return list(dict.fromkeys(["pytorch_lightning", *cfg.trusted, *(name.partition(".")[0] for name in named)]))


def key_of(override: Override) -> str:
    """The key of the configuration that an override sets."""
    return str(override.package or override.key_or_group).replace("/", ".")


def check_whole(config: dict[str, Any], cfg: DictConfig) -> None:
    """Check that a checkpoint's configuration has every setting that is read whatever the model.

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
    """Check that a checkpoint holds the state of training of the configured model, with steps left to train or its
    test left to do.

    Raises:
        UserError: it holds weights only, of another model, or training is finished.
    """
    path, max_steps = cfg.ckpt_path, cfg.trainer.max_steps
    content = read_checkpoint(path)
    if missing := [key for key in STATE if key not in content]:
        raise UserError(f"expected a checkpoint to continue from, got {path}, which has no {missing[0]}")
    if content["global_step"] >= max_steps and not is_unscored(cfg):
        done = counted(content["global_step"], "step")
        raise UserError(f"expected trainer.max_steps above the {done} already trained, got {max_steps}")
    check_same(content["tensorframes"]["model"], OmegaConf.to_container(cfg.model, resolve=True), "model", path)


def is_unscored(cfg: DictConfig) -> bool:
    """Whether a run to continue is trained, but was ended before its test had scores."""
    if cfg.ckpt_path is None or not cfg.test:
        return False
    path = Path(cfg.ckpt_path)
    of_run = path.parent.name == "checkpoints" and not (path.parent.parent / METRICS).is_file()
    return of_run and bool(read_checkpoint(path)["global_step"] == cfg.trainer.max_steps)


def is_over(cfg: DictConfig, folder: Path) -> bool:
    """Whether the run in a folder is trained, and scored if it is to be."""
    last = folder / "checkpoints" / "last.ckpt"
    if not last.is_file() or (cfg.test and not (folder / METRICS).is_file()):
        return False
    return bool(read_checkpoint(last)["global_step"] >= cfg.trainer.max_steps)


def keep_earlier_scores(cfg: DictConfig, folder: Path) -> None:
    """Rename the scores that a training run had before it is trained further, metrics.json and errors.png, by their
    steps: beside the weights and settings to come they would be wrong."""
    if cfg.ckpt_path is None or is_unscored(cfg) or not (folder / METRICS).is_file():
        return
    steps = read_metrics(folder / METRICS).get("training", {}).get("steps")
    if steps is None:
        return
    for name in (METRICS, "errors.png"):
        earlier = (folder / name).with_stem(f"{Path(name).stem}_{steps}")
        if (folder / name).is_file():
            (folder / name).replace(earlier)
    log.info("the scores after %s are in metrics_%s.json", counted(steps, "step"), steps)


def check_same(saved: Any, given: Any, key: str, path: str | Path) -> None:
    """Check that two recipes of a model agree in the keys that both have; that of a newer version may have more.

    Raises:
        UserError: a value differs.
    """
    if isinstance(saved, dict) and isinstance(given, dict):
        for name in saved.keys() & given.keys():
            check_same(saved[name], given[name], f"{key}.{name}", path)
    elif saved != given:
        raise UserError(f"expected {key} to stay what it was in {path}, {saved}, got {given}")


def load_weights(module: NormalTraining, path: str | Path) -> None:
    """Load the checkpoint's weights, averaged if there is an average.

    Raises:
        UserError: they are those of another model.
    """
    try:
        module.load_state_dict(with_present_names(read_checkpoint(path)["state_dict"], module))
    except RuntimeError as error:
        raise UserError(f"expected a checkpoint of the model configured, got another model's in {path}") from error
