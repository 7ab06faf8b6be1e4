"""Train, then test against the classical methods on the same points."""

import logging
import os
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import ProgressBar
from pytorch_lightning.loggers import Logger

from tensorframes.atomic import replace_text
from tensorframes.cli import build
from tensorframes.cli.beginning import begin_with, with_network
from tensorframes.cli.checkpoint import read_checkpoint
from tensorframes.cli.cli import Run
from tensorframes.cli.continuing import (
    LAST,
    check_continues,
    check_unused,
    continued,
    is_over,
    is_unscored,
    keep_earlier_scores,
    load_weights,
    trusted_packages,
    with_last,
)
from tensorframes.cli.fitting import fit, last_checkpoint
from tensorframes.cli.launch import as_ranked
from tensorframes.cli.lock import locked
from tensorframes.cli.processes import check_processes, launchers_in_one_line
from tensorframes.cli.quiet import silence_libraries
from tensorframes.cli.results import Protocol, flat, score_and_report, shown
from tensorframes.cli.started import started_with
from tensorframes.cli.tracking import (
    finish_wandb,
    prepare_wandb,
    send_results,
    send_start,
    tracked,
    wandb_errors_in_one_line,
)
from tensorframes.cli.trained import load_trained
from tensorframes.cli.values import SCORE, check_all, check_profile, check_search, check_validation, parts
from tensorframes.data import Cloud, DataSet, evenly_spaced
from tensorframes.errors import Stopped, UserError
from tensorframes.normals import EstimatorMethod
from tensorframes.reports import methods_of, write_metrics
from tensorframes.scoring import Method, check_clouds
from tensorframes.training import (
    Cost,
    FinalValidation,
    LastCheckpoint,
    MetricsFile,
    NormalTraining,
    StopAtSignal,
    StopSignals,
    WholeCheckpoints,
    read_rows,
    stop_signals,
)
from tensorframes.words import counted

log = logging.getLogger(__name__)


def train(cfg: DictConfig, run: Run) -> float | None:
    """Train by ``cfg`` into ``run.folder``; returns the lowest ``val/rmse`` for sweepers, None without a validation."""
    silence_libraries()
    with as_ranked(run), locked(run.folder) if run.rank == 0 else nullcontext():
        try:
            return check_and_train(cfg, run)
        except Stopped as error:
            if run.rank > 0 and error.message:  # all stop after the same step, and the first process tells it:
                return None  # Lightning kills that one at once where another ends with an error
            raise Stopped(error.signum, error.message or last_checkpoint(run.folder)) from None


def check_and_train(cfg: DictConfig, run: Run) -> float | None:
    """Check all settings, then train; a run that is over is left as it is where ``ckpt_path=last``."""
    repeated = cfg.ckpt_path == LAST
    cfg = with_last(cfg, run.folder)
    check_unused(cfg, run.folder)
    if repeated and cfg.ckpt_path is None:
        log.info("%s: no run to continue, a new one begins", shown(run.folder))
    cfg, network = with_network(continued(cfg, run.overrides), run.overrides)
    check_all(cfg, run.overrides)
    if repeated and is_over(cfg, run.folder):
        log.info("%s: finished before", shown(run.folder))
        return lowest_score(run.folder / "metrics.csv")
    if cfg.ckpt_path is not None:
        check_continues(cfg)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    module = build.training_module(cfg)
    if cfg.ckpt_path is not None:
        load_weights(module, cfg.ckpt_path)
    elif cfg.start_from is not None:
        before = network or load_trained(cfg.start_from, trusted_packages(cfg), "start_from")
        begin_with(module, before, OmegaConf.to_container(cfg.model, resolve=True))
    try:
        return train_and_test(cfg, run, module)
    finally:
        finish_wandb()


def train_and_test(cfg: DictConfig, run: Run, module: NormalTraining) -> float | None:
    """Train ``module`` and test it; all settings are checked before the first step.

    Every process checks them, since one that waits for another which has ended would wait for long.
    """
    started = started_with(cfg, run)
    signals = StopSignals(stop_signals(os.environ))
    trainer = make_trainer(tracked(cfg, started), run.folder, signals)
    clouds = build.data_set(cfg)
    check_profile(cfg, module)
    validated = check_validation(cfg, clouds.val)
    check_search(validated)
    data = build.data_module(cfg, clouds, validated)
    if validated == 0:
        log.info("no validation clouds: last.ckpt is scored")
    comparison = prepared_test(cfg, clouds) if cfg.test else None
    if run.rank == 0:
        keep_earlier_scores(cfg, run.folder)
        replace_text(run.folder / "config.yaml", OmegaConf.to_yaml(cfg, resolve=True))
        started.write(run.folder)
        parameters = build.parameter_count(module)
        send_start(trainer.loggers, started, parameters)
        log.info("%s: %s on %s", shown(run.folder), counted(parameters, "trained parameter"), place(trainer))
    if not is_unscored(cfg):
        fit(cfg, run, module, data, trainer, signals)
    if comparison is not None and run.rank == 0:
        test(run.folder, comparison, module, trainer)
    return lowest_score(run.folder / "metrics.csv") if run.rank == 0 else None


def make_trainer(cfg: DictConfig, folder: Path, signals: StopSignals) -> pl.Trainer:
    """The trainer, with metrics.csv whatever the loggers, a validation at the last step, and an end by signals."""
    if any("WandbLogger" in node._target_ for node in parts(cfg, "logger").values()):
        prepare_wandb()
    with wandb_errors_in_one_line():
        loggers = list(build.each(cfg.get("logger"), "logger", Logger).values())
    if not any(isinstance(logger, MetricsFile) for logger in loggers):
        loggers.insert(0, MetricsFile(folder / "metrics.csv"))
    with wandb_errors_in_one_line():
        for logger in loggers:
            logger.log_hyperparams(OmegaConf.to_container(cfg, resolve=True))
    last = folder / "checkpoints" / "last.ckpt"
    callbacks = [*build.each(cfg.get("callbacks"), "callbacks", pl.Callback).values(), FinalValidation(), Cost()]
    if not any(isinstance(callback, LastCheckpoint) for callback in callbacks):
        callbacks.append(LastCheckpoint(last, every_n_train_steps=None))
    callbacks.append(StopAtSignal(signals, last))
    given: dict[str, Any] = {}
    if "enable_progress_bar" not in cfg.trainer:  # without one Lightning would add its own
        given["enable_progress_bar"] = any(isinstance(callback, ProgressBar) for callback in callbacks)
    if type(limit := cfg.trainer.get("limit_val_batches")) is float and 0 < limit <= 1:
        given["limit_val_batches"] = 1.0  # Lightning would take this share of each process's own; ours is of the clouds
    if type(batches := cfg.trainer.get("accumulate_grad_batches")) is int:
        given["val_check_interval"] = cfg.trainer.val_check_interval * batches  # Lightning counts batches, we steps
    if cfg.trainer.get("accelerator") == "auto" and not torch.cuda.is_available():
        given["accelerator"] = "cpu"  # Lightning would take a GPU of Apple's, without float64
    given["default_root_dir"] = folder  # under SLURM Lightning would continue any hpc_ckpt of the current folder
    with launchers_in_one_line(os.environ):
        trainer: pl.Trainer = build.component(cfg.trainer, "trainer", logger=loggers, callbacks=callbacks, **given)
    if (kind := trainer.strategy.root_device.type) not in ("cpu", "cuda"):
        raise UserError(f"expected a CPU or a CUDA GPU, got {kind}: the geometry needs float64; trainer=cpu")
    check_processes(trainer.num_devices, trainer.num_nodes, os.environ)
    if (cluster := getattr(trainer.strategy, "cluster_environment", None)) is not None:
        with build.errors_named("trainer"):  # Lightning would do so only when training starts
            cluster.validate_settings(trainer.num_devices, trainer.num_nodes)
    trainer.strategy.checkpoint_io = WholeCheckpoints()
    if cfg.trainer.get("precision") is not None and not trainer.precision.startswith(str(cfg.trainer.precision)):
        raise UserError(f"expected trainer.precision={trainer.precision} on this device, got {cfg.trainer.precision}")
    if cfg.loader.batch_size % trainer.world_size:
        raise UserError(
            f"expected loader.batch_size to be a multiple of the {trainer.world_size} devices, got "
            f"{cfg.loader.batch_size}"
        )
    return trainer


def place(trainer: pl.Trainer) -> str:
    """The devices of a run, for messages."""
    device = trainer.strategy.root_device
    name = (
        torch.cuda.get_device_name(device) if device.type == "cuda" else counted(torch.get_num_threads(), "CPU thread")
    )
    return f"{trainer.world_size} x {name}" if trainer.world_size > 1 else name


class Comparison(NamedTuple):
    """The test: its clouds, the baselines, and the protocol."""

    clouds: Sequence[Cloud]
    baselines: list[Method]
    protocol: Protocol


def prepared_test(cfg: DictConfig, clouds: DataSet) -> Comparison:
    """The test, constructed before training, so that an error in its settings is found before the first step.

    Raises:
        UserError: a baseline or the protocol refuses its settings, the test clouds aren't there, there are none, or
            those of a dataset of another package cannot be scored; ours check their clouds when they are made.
    """
    protocol, baselines = build.protocol(cfg), list(build.each(cfg.get("baselines"), "baselines").values())
    tested = evenly_spaced(clouds.test, cfg.test_clouds)
    if len(tested) == 0:
        raise UserError("expected at least one test cloud, got none; without a test: test=false")
    if len(tested) < len(clouds.test):
        counts = (len(tested), counted(len(clouds.test), "test cloud"))
        log.info("%d of the %s will be scored; tensorframes evaluate scores all", *counts)
    if not build.checks_clouds(clouds):
        check_clouds(tested)
    return Comparison(tested, baselines, protocol)


def test(folder: Path, comparison: Comparison, module: NormalTraining, trainer: pl.Trainer) -> None:
    """Score the checkpoint with the best validation score (the last one without validation) and the baselines."""
    checkpoints = [folder / "checkpoints" / name for name in ("best.ckpt", "last.ckpt")]
    checkpoint = next((path for path in checkpoints if path.is_file()), None)
    if checkpoint is not None:
        load_weights(module, checkpoint)
        log.info("scoring %s", shown(checkpoint))
    network = EstimatorMethod(module.estimator, device=trainer.strategy.root_device)
    results = score_and_report([network, *comparison.baselines], comparison.clouds, comparison.protocol, folder)
    step = trainer.global_step or (read_checkpoint(checkpoint)["global_step"] if checkpoint else 0)
    results["training"] = cost_of(module, trainer) | {"steps": step}
    write_metrics(folder, results)
    for logger in trainer.loggers:
        logger.log_metrics(flat(results), step=step)
    scores = {name: flat(entry) for name, entry in methods_of(results).items()}
    send_results(trainer.loggers, scores, folder / "errors.png")


def lowest_score(file: Path) -> float | None:
    """The lowest ``val/rmse`` in a metrics.csv; None without any."""
    return min((float(row[SCORE]) for row in read_rows(file) if SCORE in row), default=None)


def cost_of(module: NormalTraining, trainer: pl.Trainer) -> dict[str, Any]:
    """What a run cost: parameters by part, steps, seconds per step, and the largest memory in bytes."""
    (cost,) = (callback for callback in trainer.callbacks if isinstance(callback, Cost))  # type: ignore[attr-defined]
    return {
        "parameters": build.parameters_of(module.estimator),
        "steps": trainer.global_step,
        "seconds_per_step": cost.seconds_per_step,
        "peak_memory_bytes": cost.peak_bytes,
        "device": place(trainer),
    }
