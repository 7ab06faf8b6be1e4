"""Checks of the values of a training run's settings, before anything is built."""

import logging
from collections.abc import Mapping, Sequence

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from tensorframes.cli.checks import (
    check_added,
    check_components,
    check_folder,
    check_plain,
    check_seed,
    check_settings,
    check_test_clouds,
)
from tensorframes.data import Cloud
from tensorframes.errors import UserError
from tensorframes.training import NormalTraining

log = logging.getLogger(__name__)

SCORE = "val/rmse"
LIKELIHOOD = "val/nll"
COMPONENTS = (
    *("data", "data.samples", "data.protocol", "model", "task.loss", "module", "optimizer", "schedule"),
    *("loader", "trainer"),
)
"""Components that every run requires."""

PRECISIONS = ("32-true", "64-true", "bf16-mixed", "16-mixed", "32", "64")
"""Allowed precisions of the trainer. In mixed precision, positions, frames and fits remain in float32."""

WITHOUT_STEPS = {
    "max_epochs": (None, -1),
    "min_epochs": (None, 0),
    "limit_train_batches": (None, 1.0),
    "overfit_batches": (None, 0, 0.0),
    "fast_dev_run": (None, False, 0),
    "check_val_every_n_epoch": (None, 1),
}
"""Settings by which Lightning would end or repeat epochs, with the values that do not: training is one endless epoch,
and a run that ended otherwise than by its steps would have repeated samples, or no checkpoint. With ``min_epochs=1``
early stopping would wait for the end of that epoch. 1.0 is all batches, 1 is one."""

AT_LEAST = {"trainer.max_steps": 1, "trainer.accumulate_grad_batches": 1, "trainer.log_every_n_steps": 0}


def check_all(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Check every setting, before anything is built.

    Raises:
        UserError: a setting is unknown, or its type or value is wrong.
    """
    check_added(cfg, overrides)
    check_folder(overrides)
    plain = {"seed": int, "name": str, "test": bool, "test_clouds": int | None, "ckpt_path": str | None}
    check_plain(cfg, {**plain, "start_from": str | None, "trusted": list[str]})
    check_seed(cfg.seed)
    check_components(cfg, COMPONENTS)
    check_settings(cfg)
    if cfg.start_from is not None and cfg.ckpt_path is not None:
        raise UserError(f"expected start_from or ckpt_path, got both: {cfg.start_from} and {cfg.ckpt_path}")
    check_test_clouds(cfg)
    check_trainer(cfg.trainer)
    parts(cfg, "logger")
    parts(cfg, "baselines")
    for key, monitor in monitors(cfg).items():
        if monitor not in scores(cfg) and not str(monitor).startswith(f"{SCORE}/"):
            raise UserError(f"expected {key} to be {' or '.join(scores(cfg))} or {SCORE}/CATEGORY, got {monitor}")
    warn_of_late_stopping(cfg)


def check_trainer(trainer: DictConfig) -> None:
    """Check settings of the trainer that Lightning does not check, or only during the run."""
    if trainer.get("max_steps") is None:
        raise UserError("expected trainer.max_steps to be a whole number, got none: it was deleted")
    precision = trainer.get("precision")
    if precision is not None and str(precision) not in PRECISIONS:
        raise UserError(f"expected trainer.precision to be one of {', '.join(PRECISIONS[:4])}, got {precision}")
    for path, least in AT_LEAST.items():
        value = trainer.get(path.partition(".")[2])
        if value is not None and value < least:
            raise UserError(f"expected {path} >= {least}, got {value}")
    for key, values in WITHOUT_STEPS.items():
        value = trainer.get(key)
        if not any(value == harmless and type(value) is type(harmless) for harmless in values):
            use = "val_check_interval" if key == "check_val_every_n_epoch" else "max_steps"
            raise UserError(
                f"expected no trainer.{key}, since trainer.{use} counts steps, not epochs, got trainer.{key}={value}"
            )
    interval = trainer.get("val_check_interval")
    if type(interval) is not int or interval < 1:
        raise UserError(f"expected trainer.val_check_interval to be a whole number of steps, 1 or more, got {interval}")


def check_validation(cfg: DictConfig, clouds: Sequence[Cloud]) -> int:
    """The number of validation clouds that are scored; checks that they have the scores that callbacks monitor.

    Raises:
        UserError: there are none for early stopping, or a callback monitors a category that none has.
    """
    limit = cfg.trainer.get("limit_val_batches")
    share = len(clouds) if limit is None else limit if type(limit) is int else int(len(clouds) * limit)
    count = min(len(clouds), share)
    if count == 0 and limit and len(clouds) > 0:
        raise UserError(f"expected trainer.limit_val_batches to leave one cloud of {len(clouds)}, got {limit}")
    for name, node in parts(cfg, "callbacks").items():
        if count == 0 and str(node._target_).endswith(".EarlyStopping"):
            raise UserError(f"expected validation clouds for callbacks.{name}, got none")
    named = {key: monitor for key, monitor in monitors(cfg).items() if monitor not in scores(cfg)}
    if named and count > 0:
        there = [SCORE, *dict.fromkeys(f"{SCORE}/{clouds[index].category}" for index in range(count))]
        for key, monitor in named.items():
            if monitor not in there:
                raise UserError(f"expected {key} to be one of {', '.join(there)}, got {monitor}")
    return count


def check_search(validated: int) -> None:
    """Check that a run of a search has the score that the search compares.

    Args:
        validated: number of validation clouds.

    Raises:
        UserError: there are none.
    """
    state = HydraConfig.get()
    if state.mode == RunMode.MULTIRUN and not state.sweeper._target_.endswith(".BasicSweeper") and validated == 0:
        raise UserError(f"expected validation clouds for a search, which compares {SCORE}, got none")


def check_profile(cfg: DictConfig, module: NormalTraining) -> None:
    """Check that samples hold the profile of whole clouds if the network uses it.

    Raises:
        UserError: they do not, so that the network would measure it on patches.
    """
    if module.estimator.needs_profile and not cfg.data.samples.get("profile", False):
        raise UserError("expected data.samples.profile=true for a network with variation_profile, got false")


def warn_of_late_stopping(cfg: DictConfig) -> None:
    """Warn if the patience of early stopping is longer than the run."""
    for name, node in parts(cfg, "callbacks").items():
        if str(node._target_).endswith(".EarlyStopping"):
            first = cfg.trainer.val_check_interval * (1 + node.get("patience", 3))
            if first >= cfg.trainer.max_steps:
                log.warning(
                    "callbacks.%s cannot stop before step %d, and there are %d: lower trainer.val_check_interval or "
                    "callbacks.%s.patience",
                    name,
                    first,
                    cfg.trainer.max_steps,
                    name,
                )


def scores(cfg: DictConfig) -> tuple[str, ...]:
    """The scores of validation over all categories: the error, and its likelihood where that is trained."""
    return (SCORE, LIKELIHOOD) if cfg.module._target_.endswith(".ConfidenceTraining") else (SCORE,)


def monitors(cfg: DictConfig) -> dict[str, str]:
    """The metrics that callbacks monitor, by the key of the setting."""
    found = {f"callbacks.{name}.monitor": node.get("monitor") for name, node in parts(cfg, "callbacks").items()}
    return {key: monitor for key, monitor in found.items() if monitor is not None}


def parts(cfg: DictConfig, group: str) -> dict[str, DictConfig]:
    """The components of a group of several by name, without those that are null.

    Raises:
        UserError: an entry is not a component.
    """
    nodes = cfg.get(group) or {}
    if not isinstance(nodes, Mapping | DictConfig):
        raise UserError(f"expected {group} to be components by name, got {nodes}")
    found = {str(name): node for name, node in nodes.items() if node is not None}
    for name, node in found.items():
        if not isinstance(node, DictConfig) or "_target_" not in node:
            raise UserError(f"expected {group}.{name} to be a component with a _target_, or null, got {node}")
    return found
