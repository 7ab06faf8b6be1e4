"""A progress bar over the steps of a run; with an endless loader Lightning's own bar has no total."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar


class ProgressBar(RichProgressBar):
    """Rich progress bar over ``max_steps``; a resumed run starts at its step."""

    @property
    def total_train_batches(self) -> int | float:
        """The number of batches of the run."""
        return self.trainer.max_steps * self.trainer.accumulate_grad_batches

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """The metrics beside the bar, without the loggers' version."""
        return {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}

    def _get_train_description(self, current_epoch: int) -> str:
        return "Training"
