"""last.ckpt: the checkpoint from which a run continues exactly, however it was ended."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint


class LastCheckpoint(Checkpoint):
    """Saves the run every so many steps, after each validation, and when it ends, at its last step or before.

    At a step with a validation it is saved after that, not before: Lightning would leave the validation out when the
    run continues. A run that is killed during a validation repeats the steps since the checkpoint before it.

    Args:
        path: of the file. every_n_train_steps: steps between checkpoints; None: only the others.

    Raises:
        ValueError: there are fewer than one step between them.
    """

    def __init__(self, path: str | Path, every_n_train_steps: int | None = 100) -> None:
        if every_n_train_steps is not None and every_n_train_steps < 1:
            raise ValueError(f"expected every_n_train_steps >= 1, got {every_n_train_steps}")
        self.path, self.every = Path(path), every_n_train_steps
        self._step = self._saved = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Notes the first step."""
        self._step = self._saved = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves, unless gradients are still accumulated or a validation follows."""
        step = trainer.global_step
        if step == self._step or validation_follows(trainer):
            return
        self._step = step
        if (self.every is not None and step % self.every == 0) or step == trainer.max_steps:
            self._save(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Saves."""
        if not trainer.sanity_checking:
            self._step = trainer.global_step
            self._save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Saves a run that another callback, or a time limit, has ended between two checkpoints.

        The only epoch ends with the run. Later the averaged weights replace the weights.
        """
        if self._saved != trainer.global_step:
            self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        self._saved = trainer.global_step
        trainer.save_checkpoint(self.path)


def validation_follows(trainer: pl.Trainer) -> bool:
    """Whether Lightning validates after the batch that has just been trained on."""
    if not trainer.enable_validation or sum(trainer.num_val_batches) == 0:
        return False
    interval = trainer.val_check_batch
    return trainer.should_stop or (interval is not None and (trainer.fit_loop.total_batch_idx + 1) % interval == 0)
