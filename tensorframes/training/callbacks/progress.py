"""A progress bar over the run's steps: the loader is endless, so Lightning's own bar knows no total."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar


class Progress(RichProgressBar):
    """Rich progress bar over ``max_steps``, continued where a resumed run stands."""

    @property
    def total_train_batches(self) -> int | float:
        """All batches of the run."""
        return self.trainer.max_steps * self.trainer.accumulate_grad_batches

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """The numbers beside the bar, without the loggers' run number."""
        return {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}

    def _get_train_description(self, current_epoch: int) -> str:
        return "Training"
