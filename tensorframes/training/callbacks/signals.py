"""The end of a run by a signal: its checkpoint is saved at the next step, then the run stops."""

import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from tensorframes.errors import Stopped
from tensorframes.training.callbacks.last import validation_follows

APART = 1.0
"""Seconds after which a repeated signal is one of its own."""


def stop_signals(environment: Mapping[str, str]) -> tuple[int, ...]:
    """The signals that end a run: SIGINT and SIGTERM; under SLURM SIGUSR1; in a job of submitit the one that it sends
    before the end of the job, and not SIGTERM, which submitit ignores.

    Args:
        environment: variables of the process.
    """
    names = ["SIGINT", "SIGTERM"]
    if "SLURM_JOB_ID" in environment:
        names.append("SIGUSR1")
    if "SUBMITIT_EXECUTOR" in environment:
        names.remove("SIGTERM")
        names.append(f"SIG{environment.get('SUBMITIT_PREEMPT_SIGNAL', 'USR2')}")
    found = (getattr(signal, name, None) for name in dict.fromkeys(names))
    return tuple(signum for signum in found if signum is not None)


class StopSignals:
    """A context that notes the first of some signals; the same once more, a second later, raises ``Stopped`` at once.

    A launcher passes on what the terminal has sent to all processes, as itself or as SIGTERM.

    Processes that this one forks take no notice: a loader's process serves the step that is left. There is no effect
    outside the main thread, where Python allows no handlers.

    Args:
        signals: their numbers.

    Attributes:
        received: the signal that came; None before.
        before: the handlers of before the context, by signal.
    """

    def __init__(self, signals: tuple[int, ...]) -> None:
        self.signals = signals
        self.received: int | None = None
        self.before: dict[int, Any] = {}
        self._owner, self._came = os.getpid(), 0.0

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            self.before = {signum: signal.getsignal(signum) for signum in self.signals}
            self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self.before.items():
            signal.signal(signum, handler)

    def listen(self) -> None:
        """Installs the handlers, in place of any that were installed since."""
        for signum in self.before:
            signal.signal(signum, self._note)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if os.getpid() != self._owner:
            return
        now = time.monotonic()
        if self.received is None:
            self.received, self._came = signum, now
        elif self.received == signum and now > self._came + APART:
            raise Stopped(signum)


class StopAtSignal(Checkpoint):
    """Saves a checkpoint at the end of the step in which a signal came, and raises ``Stopped`` once it is logged.

    Where a validation follows, the run stops after that, at which ``LastCheckpoint`` saves it. At the last step nothing
    is stopped: the run ends anyway. In a run of several processes one that has the signal is enough.

    Args:
        signals: in whose context the run is. path: of the checkpoint.
    """

    def __init__(self, signals: StopSignals, path: str | Path) -> None:
        self.signals, self.path = signals, Path(path)
        self._step, self._stops = 0, False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Puts the handlers in the place of Lightning's, which would broadcast from within, or write elsewhere."""
        self.signals.listen()
        self._step, self._stops = trainer.global_step, False

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves, unless gradients are still accumulated or a validation follows."""
        if trainer.global_step == self._step:
            return
        self._step = trainer.global_step
        if not validation_follows(trainer) and self._step != trainer.max_steps and self._wanted(trainer):
            trainer.save_checkpoint(self.path)
            self._stops = True

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Notes a signal that came before the validation or during it."""
        self._stops = self._wanted(trainer)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Stops a run that is saved; Lightning has logged the step by now."""
        if self._stops:
            raise Stopped(self.signals.received or signal.SIGTERM)

    def _wanted(self, trainer: pl.Trainer) -> bool:
        """Whether a process of the run has the signal."""
        wanted = self.signals.received is not None
        if trainer.world_size > 1:
            wanted = trainer.strategy.reduce_boolean_decision(wanted, all=False)
        return wanted
