"""Pictures for Weights & Biases during training."""

from typing import Any

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.loggers import WandbLogger
from torch import Tensor
from torch_geometric.data import Batch

from tensorframes.training.losses import squared_chord

GREEN, RED = np.array([40.0, 160.0, 60.0]), np.array([220.0, 40.0, 40.0])


def coloured_by_error(pos: np.ndarray, degrees: np.ndarray, worst: float = 30.0) -> np.ndarray:
    """Rows x, y, z, red, green, blue (N, 6): from green at no error to red at ``worst`` degrees and above."""
    share = np.clip(degrees / worst, 0, 1)[:, None]
    return np.concatenate([pos, (1 - share) * GREEN + share * RED], axis=1)


class ErrorClouds(pl.Callback):
    """Logs the first validation cloud, coloured by its unoriented error, after each validation.

    Args:
        points: largest number of points that are sent, evenly selected.
    """

    def __init__(self, points: int = 10_000) -> None:
        if points < 1:
            raise ValueError(f"expected points >= 1, got {points}")
        self.points = points

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Sends the cloud to each Weights & Biases logger."""
        loggers = [logger for logger in trainer.loggers if isinstance(logger, WandbLogger)]
        if batch_idx == 0 and trainer.is_global_zero and loggers and isinstance(outputs, Tensor):
            cloud = self._picture(outputs, batch)
            import wandb

            for logger in loggers:
                logger.experiment.log({"val/errors": wandb.Object3D(cloud), "trainer/global_step": trainer.global_step})

    def _picture(self, normal: Tensor, batch: Batch) -> np.ndarray:
        rows = slice(None, None, max(1, -(-len(normal) // self.points)))
        chord = squared_chord(normal[rows], batch.normal[batch.loss_mask][rows], oriented=False).sqrt()
        degrees = 2 * np.rad2deg(np.arcsin(np.clip(chord.cpu().numpy() / 2, 0, 1)))
        return coloured_by_error(batch.pos[batch.loss_mask][rows].cpu().numpy(), degrees)
