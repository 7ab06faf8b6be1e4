"""The data module, and a sampler whose state is one counter."""

import atexit
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from ctypes import c_byte
from functools import partial
from types import FrameType

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset
from torch_geometric.data import Batch, Data

from tensorframes.data import Cloud, ValidationClouds
from tensorframes.parallel import start_method


class CountedBatches:
    """An endless sampler: global batch b has the indices b B, ..., b B + B - 1, distributed over the ranks.

    The set of indices does not depend on the number of ranks, and a continued run needs ``start`` alone.

    Args:
        batch_size: B, over all ranks. start: index of the first global batch. rank: of this process. ranks: their
            number.

    Raises:
        ValueError: B is not a multiple of ``ranks`` (the mean over ranks would not be the mean over the batch).
    """

    def __init__(self, batch_size: int, start: int = 0, rank: int = 0, ranks: int = 1) -> None:
        if batch_size < 1 or batch_size % ranks:
            raise ValueError(f"expected loader.batch_size to be a multiple of the {ranks} device(s), got {batch_size}")
        self.batch_size, self.start, self.rank, self.ranks = batch_size, start, rank, ranks

    def __iter__(self) -> Iterator[list[int]]:
        number = self.start
        while True:
            first = number * self.batch_size
            yield list(range(first + self.rank, first + self.batch_size, self.ranks))
            number += 1


def collate(items: list[Data]) -> Batch:
    """Concatenates clouds of different sizes; ``batch`` holds the index of each row's cloud."""
    return Batch.from_data_list(items)


def ignore_stop_signals(worker: int, ending: c_byte) -> None:
    """Ignores SIGINT and SIGTERM, which terminals and cluster managers send to all processes of a run: a loader's
    process serves the step that is left, and ends with the process that it serves.

    Args:
        worker: number of the process. ending: shared memory, 1 when that process ends, where `multiprocessing` sends
            SIGTERM to what is left of loaders, and waits for it.
    """

    def terminate(signum: int, frame: FrameType | None) -> None:
        if ending.value:
            os._exit(0)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, terminate)


class CloudDataModule(pl.LightningDataModule):
    """Samples for training and whole clouds for validation, in batches.

    Args:
        samples: training samples, each a function of its index alone; any index >= 0 is valid.
        validation: validation clouds.
        batch_size: samples in a batch, over all devices. workers: loader processes (0: the main process).
    """

    def __init__(
        self,
        samples: Dataset[Data],
        validation: Sequence[Cloud],
        batch_size: int = 2,
        workers: int = 1,
    ) -> None:
        super().__init__()
        if batch_size < 1 or workers < 0:
            raise ValueError(f"expected batch_size >= 1 and workers >= 0, got {batch_size} and {workers}")
        self.samples, self.validation = samples, validation
        self.batch_size, self.workers = batch_size, workers

    def train_dataloader(self) -> DataLoader[Data]:
        """An endless loader that starts at the trainer's step."""
        rank, ranks, step = self._place()
        return self._loader(self.samples, batch_sampler=CountedBatches(self.batch_size, step, rank, ranks))

    def val_dataloader(self) -> DataLoader[Data]:
        """Whole validation clouds, one per batch, equally many on every rank: the first ones are repeated if needed."""
        rank, ranks, _ = self._place()
        count = len(self.validation)
        share = [place % count for place in range(rank, -(-count // ranks) * ranks, ranks)]
        return self._loader(ValidationClouds(self.validation), batch_size=1, sampler=share)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """The batch in float64 if the weights are (``trainer.precision=64-true``)."""
        if self.trainer is None or self.trainer.lightning_module.dtype != torch.float64:
            return batch
        return batch.apply(lambda value: value.double() if value.is_floating_point() else value)

    def _place(self) -> tuple[int, int, int]:
        """Rank, number of ranks, and number of batches used so far."""
        if self.trainer is None:
            return 0, 1, 0
        used = self.trainer.global_step * self.trainer.accumulate_grad_batches
        return self.trainer.global_rank, self.trainer.world_size, used

    def _loader(self, samples: Dataset[Data], **sampling: object) -> DataLoader[Data]:
        how, prepare = start_method(self.workers), None
        if self.workers > 0:
            ending = multiprocessing.get_context(how).RawValue("b", 0)  # without a lock, which a signal could meet
            atexit.register(setattr, ending, "value", 1)
            prepare = partial(ignore_stop_signals, ending=ending)
        return DataLoader(
            samples,
            num_workers=self.workers,
            multiprocessing_context=how,
            persistent_workers=self.workers > 0,
            pin_memory=self.trainer is not None and self.trainer.strategy.root_device.type == "cuda",
            collate_fn=collate,
            worker_init_fn=prepare,
            **sampling,  # type: ignore[arg-type]
        )
