"""A progress bar over the run's steps: the loader is endless, so Lightning's own bar knows no total."""

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar


class Progress(RichProgressBar):
    """Rich progress bar over ``max_steps``, continued where a resumed run stands."""

    @property
    def total_train_batches(self) -> int | float:
        """All batches of the run."""
        return self.trainer.max_steps * self.trainer.accumulate_grad_batches

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Name the bar for what it counts."""
        super().on_train_epoch_start(trainer, pl_module)

    def _get_train_description(self, current_epoch: int) -> str:
        return "Training"
