"""End a run of a fixed number of steps with a validation, wherever the last regular one was."""

from typing import Any

import pytorch_lightning as pl


class FinalValidation(pl.Callback):
    """Asks the trainer to stop at ``max_steps``, which makes it validate (and keep a checkpoint) there."""

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop at the last step."""
        if 0 <= trainer.max_steps <= trainer.global_step:
            trainer.should_stop = True
