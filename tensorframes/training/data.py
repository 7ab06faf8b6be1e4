"""Training batches, validation clouds, and a sampler whose whole state is one counter."""

from collections.abc import Iterator, Sequence

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset
from torch_geometric.data import Batch, Data

from tensorframes.data import Cloud, WholeClouds
from tensorframes.errors import UserError


class CountedBatches:
    """Endless lists of sample numbers: global batch b is the numbers b B, ..., b B + B - 1, dealt out to the ranks.

    The global batch is the same set whatever the number of ranks, and where to continue is decided by ``start`` alone.

    Args:
        batch_size: B, over all ranks. start: number of the first global batch. rank, ranks: whose share, of how many.

    Raises:
        ValueError: B is not a multiple of ``ranks`` (the ranks' mean would not be the batch's mean).
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


class ScoredClouds(WholeClouds):
    """Whole clouds with their category; ``inner`` marks the rows that the protocol scores.

    Raises:
        UserError: a cloud has no row to score.
    """

    def __getitem__(self, index: int) -> Data:
        """Cloud ``index`` as tensors, with ``category``, a text, and its ``place`` among the clouds."""
        data, cloud = super().__getitem__(index), self.clouds[index]
        rows = torch.from_numpy(cloud.scored_rows)
        if len(rows) == 0:
            raise UserError(f"expected rows with normals to validate on, got none scored for {cloud.name}")
        data.inner = torch.zeros_like(data.inner).index_fill(0, rows, True)
        data.category, data.place = cloud.category, index
        return data


def collate(items: list[Data]) -> Batch:
    """Clouds of different sizes, concatenated, with ``batch`` saying which row is whose."""
    return Batch.from_data_list(items)


class CloudDataModule(pl.LightningDataModule):
    """Samples for training and whole clouds for validation, in batches.

    Args:
        samples: training samples, each a function of its number alone; numbers never end.
        validation: clouds to validate on.
        batch_size: samples in a batch, over all devices. workers: processes that prepare them (0: the main process).
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
        """An endless loader that starts where the trainer's step counter stands."""
        rank, ranks, step = self._place()
        return self._loader(self.samples, batch_sampler=CountedBatches(self.batch_size, step, rank, ranks))

    def val_dataloader(self) -> DataLoader[Data]:
        """Whole validation clouds, one a batch, every rank equally many: the last ones repeat the first."""
        rank, ranks, _ = self._place()
        count = len(self.validation)
        share = [place % count for place in range(rank, -(-count // ranks) * ranks, ranks)]
        return self._loader(ScoredClouds(self.validation), batch_size=1, sampler=share)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """The batch in float64 where the weights are (``trainer.precision=64-true``)."""
        if self.trainer is None or self.trainer.lightning_module.dtype != torch.float64:
            return batch
        return batch.apply(lambda value: value.double() if value.is_floating_point() else value)

    def _place(self) -> tuple[int, int, int]:
        """Rank, number of ranks, and number of batches already used."""
        if self.trainer is None:
            return 0, 1, 0
        used = self.trainer.global_step * self.trainer.accumulate_grad_batches
        return self.trainer.global_rank, self.trainer.world_size, used

    def _loader(self, samples: Dataset[Data], **sampling: object) -> DataLoader[Data]:
        return DataLoader(
            samples,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            pin_memory=torch.cuda.is_available(),
            collate_fn=collate,
            **sampling,  # type: ignore[arg-type]
        )
