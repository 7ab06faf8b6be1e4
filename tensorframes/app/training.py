"""Train, then test against the classical methods on the same points."""

import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from tensorframes.app import build
from tensorframes.app.checkpoint import read_checkpoint, saved_config
from tensorframes.app.checks import check_settings
from tensorframes.app.cli import Run
from tensorframes.app.launch import one_run
from tensorframes.app.quiet import silence_libraries, wandb_offline_without_account
from tensorframes.app.results import flat, score_and_report
from tensorframes.errors import UserError
from tensorframes.inference import EstimatorMethod
from tensorframes.training import FinalValidation, MetricsFile, NormalTraining

log = logging.getLogger(__name__)


def train(cfg: DictConfig, run: Run) -> dict[str, Any] | None:
    """Train by ``cfg`` into ``run.folder``; returns the test's results (None where there is no test, or not rank 0)."""
    silence_libraries()
    wandb_offline_without_account()
    cfg = continued(cfg, run.overrides)
    check_settings(cfg)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    module = build.training_module(cfg)
    clouds = build.data_set(cfg)
    data = build.data_module(cfg, clouds)
    trainer = make_trainer(cfg, run.folder)
    if run.rank == 0:
        OmegaConf.save(cfg, run.folder / "config.yaml", resolve=True)
        log.info("%s: %s trained parameters on %s", run.folder, f"{build.parameter_count(module):,}", place(trainer))
    with one_run(run):
        trainer.fit(module, data, ckpt_path=cfg.ckpt_path, weights_only=True)
    if run.rank > 0 or trainer.interrupted or not cfg.test:
        return None
    return test(cfg, run.folder, clouds, module, trainer)


def continued(cfg: DictConfig, overrides: tuple[str, ...]) -> DictConfig:
    """The configuration to continue with: the checkpoint's own, with what this command line sets on top.

    Where an experiment is named again, the command line is taken to be whole, and the checkpoint's is not used.
    """
    if cfg.ckpt_path is None:
        return cfg
    saved = saved_config(cfg.ckpt_path)
    given = OverridesParser.create().parse_overrides(list(overrides))
    if any(override.key_or_group == "experiment" for override in given):
        return cfg
    for override in given:
        key = (override.package or override.key_or_group).replace("/", ".")
        if not override.is_delete():
            OmegaConf.update(saved, key, OmegaConf.select(cfg, key), merge=False, force_add=True)
    return saved


def make_trainer(cfg: DictConfig, folder: Path) -> pl.Trainer:
    """The trainer, with metrics.csv whatever the loggers, and a validation at the last step."""
    if cfg.trainer.max_steps < 1:
        raise UserError(f"expected trainer.max_steps >= 1, got {cfg.trainer.max_steps}")
    loggers = [MetricsFile(folder / "metrics.csv"), *build.each(cfg.logger, "logger").values()]
    for logger in loggers[1:]:
        logger.log_hyperparams(OmegaConf.to_container(cfg, resolve=True))
    callbacks = [*build.each(cfg.callbacks, "callbacks").values(), FinalValidation()]
    trainer: pl.Trainer = build.component(cfg.trainer, "trainer", logger=loggers, callbacks=callbacks)
    return trainer


def place(trainer: pl.Trainer) -> str:
    """Where the run computes, in words."""
    device = trainer.strategy.root_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU thread(s)"
    return f"{trainer.world_size} x {name}" if trainer.world_size > 1 else name


def test(cfg: DictConfig, folder: Path, clouds: Any, module: NormalTraining, trainer: pl.Trainer) -> dict[str, Any]:
    """Score the checkpoint that validated best (the last one if none did) beside the baselines."""
    checkpoints = [folder / "checkpoints" / name for name in ("best.ckpt", "last.ckpt")]
    kept = next((path for path in checkpoints if path.is_file()), None)
    if kept is not None:
        module.load_state_dict(read_checkpoint(kept)["state_dict"])
    estimator = module.estimator.to(trainer.strategy.root_device).eval()
    methods = [EstimatorMethod(estimator, "network"), *build.each(cfg.baselines, "baselines").values()]
    results = score_and_report(methods, clouds.test, build.component(cfg.data.protocol, "data.protocol"), folder)
    for logger in trainer.loggers:
        logger.log_metrics(flat(results), step=trainer.global_step)
    return results
