"""The cost of a training run: seconds per step, and the largest memory in use."""

import sys
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import pytorch_lightning as pl
import torch

PROCESS = Path("/proc/self")  # of Linux


class Cost(pl.Callback):
    """Measures a run from its first step to its last.

    Attributes:
        seconds: of each step, the wait for its samples included, validations not.
        peak_bytes: largest memory in use: that of tensors on the device for CUDA, else that of the process, on Linux
            since the run began; None where the system does not report it.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.peak_bytes: int | None = None
        self._begun, self._step = 0.0, 0

    @property
    def seconds_per_step(self) -> float | None:
        """The median over the steps after the first, which starts the loader; None without any."""
        return median(self.seconds[1:] or self.seconds) if self.seconds else None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock and resets the largest memory."""
        reset_peak(pl_module.device)
        self._begun, self._step = time.perf_counter(), trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Notes the seconds of a step; of several batches where gradients are accumulated."""
        if trainer.global_step > self._step:
            now = time.perf_counter()
            self.seconds.append(now - self._begun)
            self._begun, self._step = now, trainer.global_step

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock again."""
        self._begun = time.perf_counter()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Reads the largest memory."""
        self.peak_bytes = peak_bytes(pl_module.device)


def reset_peak(device: torch.device) -> None:
    """Make ``peak_bytes`` begin at the memory in use now, where the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with suppress(OSError):
        (PROCESS / "clear_refs").write_text("5")  # resets VmHWM, see proc(5)


def peak_bytes(device: torch.device) -> int | None:
    """The largest memory in use; see ``Cost``."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    with suppress(OSError, StopIteration, ValueError):
        lines = (PROCESS / "status").read_text().splitlines()
        return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
