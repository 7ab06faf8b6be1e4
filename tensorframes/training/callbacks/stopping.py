"""A validation at the end of a run of a fixed number of steps."""

from typing import Any

import pytorch_lightning as pl


class FinalValidation(pl.Callback):
    """Stops the trainer at ``max_steps``, so that it validates and saves a checkpoint at the last step; and corrects
    the steps that loggers receive."""

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Sets the step of the loggers: Lightning counts one too few after a checkpoint of a last validation."""
        trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stops at the last step."""
        if 0 <= trainer.max_steps <= trainer.global_step:
            trainer.should_stop = True
