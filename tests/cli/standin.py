"""A dataset of ellipsoids and an estimator of a few hundred parameters, so that whole runs take seconds."""

import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn.functional import normalize
from torch_geometric.utils import scatter

from tensorframes.data import Cloud
from tensorframes.normals import Estimator, Prediction
from tensorframes.training.callbacks.signals import APART


class Ellipsoids(Sequence[Cloud]):
    """Clouds of a few hundred points."""

    def __init__(self, count: int, points: int, seed: int) -> None:
        self.count, self.points, self.seed = count, points, seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Cloud:
        if not 0 <= index < self.count:
            raise IndexError(index)
        rng = np.random.default_rng((self.seed, index))
        axes = rng.uniform(0.5, 1.5, 3)
        sphere = rng.normal(size=(self.points, 3))
        sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
        normal = sphere / axes
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        category = ("no_noise", "low_noise")[index % 2]
        return Cloud(f"ellipsoid{index}", (sphere * axes).astype("f4"), normal.astype("f4"), category=category)


class Spheres:
    """The splits; ``root`` is only there to be set."""

    def __init__(
        self,
        points: int = 64,
        root: str = "data/spheres",
        archive: str | None = None,
        validated: int = 3,
        tested: int = 2,
    ) -> None:
        self.root, self.archive, counts = root, archive, (6, validated, tested)
        self.train, self.val, self.test = (Ellipsoids(count, points, seed) for seed, count in enumerate(counts))


class TinyEstimator(Estimator):
    """An MLP on centred positions, with dropout so that random draws matter."""

    def __init__(self, hidden: int = 8, dropout: float = 0.0) -> None:
        super().__init__()
        layers = [torch.nn.Linear(3, hidden), torch.nn.Tanh(), torch.nn.Dropout(dropout), torch.nn.Linear(hidden, 3)]
        self.mlp = torch.nn.Sequential(*layers)

    def forward(
        self,
        pos: Tensor,
        batch: Tensor | None = None,
        scale: Tensor | None = None,
        rows: Tensor | None = None,
        profile: Tensor | None = None,
    ) -> Prediction:
        """Normals of the rows, corrected from nothing."""
        batch = torch.zeros(len(pos), dtype=torch.long) if batch is None else batch
        centred = pos - scatter(pos, batch, reduce="mean")[batch]
        normal = normalize(self.mlp(centred if rows is None else centred[rows]), dim=-1)
        return Prediction(normal, normal.new_zeros(0, *normal.shape))


class Killer(pl.Callback):
    """Ends the process after a step, as a machine that is switched off would: nothing is cleaned up."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: pl.Trainer, *args: object) -> None:
        if trainer.global_step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


class Copied(pl.Callback):
    """Copies the run's folder after some steps: what a process that is killed then would leave."""

    def __init__(self, folder: str, steps: Sequence[int]) -> None:
        self.folder, self.steps = folder, steps

    def on_train_batch_end(self, trainer: pl.Trainer, *args: object) -> None:
        if trainer.global_step in self.steps:
            shutil.copytree(self.folder, f"left_after_{trainer.global_step}")


class Interrupted(pl.Callback):
    """Ctrl-C after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: pl.Trainer, *args: object) -> None:
        if trainer.global_step == self.step:
            raise KeyboardInterrupt


class TerminatedMethod:
    """SIGTERM while it is scored."""

    name, oriented, equivariant = "terminated", False, False

    def __call__(self, points: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError


class InterruptedMethod:
    """Ctrl-C while it is scored."""

    name, oriented, equivariant = "interrupted", False, False

    def __call__(self, points: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        raise KeyboardInterrupt


class Spoiled(pl.Callback):
    """All weights become a value when a step ends, before checkpoints are written."""

    def __init__(self, step: int, value: float) -> None:
        self.step, self.value = step, value

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: object) -> None:
        if trainer.global_step == self.step:
            with torch.no_grad():
                for parameter in pl_module.parameters():
                    parameter.fill_(self.value)


class Ended(pl.Callback):
    """Ends the training after a step, as a limit of its time would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: pl.Trainer, *args: object) -> None:
        trainer.should_stop = trainer.should_stop or trainer.global_step == self.step


class Gradients(pl.Callback):
    """Keeps the gradients of the first step, as the optimiser of the first process gets them."""

    def __init__(self, path: str) -> None:
        self.path = path

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: object) -> None:
        if trainer.global_step == 0 and trainer.is_global_zero:
            torch.save({name: value.grad for name, value in pl_module.named_parameters()}, self.path)


class Broken(pl.Callback):
    """Fails when training starts, for no fault of the user."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        raise ZeroDivisionError("broken on purpose")


class LostWorker(pl.Callback):
    """Fails as torch does when a process of its loader is killed."""

    def on_train_batch_end(self, *_: object) -> None:
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")


class Signalled(pl.Callback):
    """Sends this process and its loader's a signal in the middle of a step, and one more if it is told so."""

    def __init__(self, step: int, name: str = "SIGTERM", again: bool = False) -> None:
        self.step, self.signum, self.again = step, getattr(signal, name), again

    def on_before_optimizer_step(self, trainer: pl.Trainer, *args: object) -> None:
        if trainer.global_step == self.step:
            for child in multiprocessing.active_children():
                subprocess.run(["kill", f"-{self.signum}", str(child.pid)], check=True)  # torch expects its parent's
                time.sleep(0.2)  # it would have ended by then
            os.kill(os.getpid(), self.signum)
            os.kill(os.getpid(), self.signum)  # as a launcher passes it on
            if self.again:
                time.sleep(APART)
                os.kill(os.getpid(), self.signum)


class FullDisk(pl.Callback):
    """From the end of a step on no file may grow beyond a size."""

    def __init__(self, step: int, size: int) -> None:
        self.step, self.size = step, size

    def on_train_batch_end(self, trainer: pl.Trainer, *args: object) -> None:
        if trainer.global_step == self.step:
            _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, most))
