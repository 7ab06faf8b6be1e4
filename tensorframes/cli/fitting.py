"""The training itself; if it ends early, one line with the reason and how to continue."""

import os
import signal
import time
from pathlib import Path
from typing import NoReturn

import pytorch_lightning as pl
from omegaconf import DictConfig

from tensorframes.cli.checkpoint import read_checkpoint
from tensorframes.cli.cli import Run
from tensorframes.cli.explain import FULL, first_line
from tensorframes.cli.launch import one_run
from tensorframes.cli.results import shown
from tensorframes.errors import Stopped, UserError
from tensorframes.training import NormalTraining, StopSignals

REQUEUEING = 60.0
"""Seconds in which the first process of a job has it requeued, which ends the others."""


def fit(
    cfg: DictConfig,
    run: Run,
    module: NormalTraining,
    data: pl.LightningDataModule,
    trainer: pl.Trainer,
    signals: StopSignals,
) -> None:
    """Train.

    Raises:
        UserError: the loss is not finite any more, a process of the loader was killed, or the disk is full.
        Stopped: by a signal; the checkpoint is saved.
    """
    try:
        with one_run(run), signals:
            trainer.fit(module, data, ckpt_path=cfg.ckpt_path, weights_only=True)
        if signals.received is not None:
            raise Stopped(signals.received)
    except (KeyboardInterrupt, SystemExit) as error:  # Lightning raises SystemExit after an interrupt
        if isinstance(error, SystemExit) and not trainer.interrupted:
            raise
        stopped(signals, run)
    except UserError as error:
        raise UserError(f"{first_line(error)}; {last_checkpoint(run.folder)}") from error
    except (RuntimeError, OSError) as error:
        if signals.received is not None and is_lost_worker(error):
            stopped(signals, run)
        if is_lost_worker(error):
            found = f"expected the data loader's processes to go on, got: {str(error).rstrip('. ')}"
        elif isinstance(error, OSError) and error.errno in FULL:
            found = f"expected room on the disk, got: {error.strerror}"
        else:
            raise
        raise UserError(f"{found}; {last_checkpoint(run.folder)}") from error


def stopped(signals: StopSignals, run: Run) -> NoReturn:
    """End a run that a signal stopped. In a job of submitit its handler of the signal has the job requeued.

    Raises:
        Stopped: always, unless the job is requeued.
    """
    signum = signals.received or signal.SIGINT
    handler = signals.before.get(signum)
    if "SUBMITIT_EXECUTOR" in os.environ and signum not in (signal.SIGINT, signal.SIGTERM) and callable(handler):
        handler(signum, None)
        time.sleep(REQUEUEING)
    raise Stopped(signum, last_checkpoint(run.folder)) from None


def is_lost_worker(error: Exception) -> bool:
    """Whether a process of the data loader was killed, for instance for lack of memory: not an error of its own."""
    return isinstance(error, RuntimeError) and str(error).startswith("DataLoader worker (pid")


def last_checkpoint(folder: Path) -> str:
    """A message on how to continue a run that ended early."""
    last = folder / "checkpoints" / "last.ckpt"
    if not last.is_file():
        return "no checkpoint was written yet"
    return f"ckpt_path={shown(last)} goes on from step {read_checkpoint(last)['global_step']}"
