"""An exponential moving average of the weights: what is validated, tested and kept."""

from collections.abc import Sequence

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor


class EMA(WeightAveraging):
    """w <- d w + (1 - d) w_now after every step, with d = min(decay, (1 + n) / (10 + n)) at step n.

    The growing d lets short runs forget their first weights (as in TensorFlow's ExponentialMovingAverage).
    Checkpoints hold the average as ``state_dict`` and the raw weights beside it.

    Args:
        decay: the limit of d.
    """

    def __init__(self, decay: float = 0.99) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"expected decay in [0, 1), got {decay}")
        self.decay = decay
        super().__init__(use_buffers=True, multi_avg_fn=self._average)

    @torch.no_grad()
    def _average(self, kept: Sequence[Tensor], now: Sequence[Tensor], steps: Tensor | int) -> None:
        decay = min(self.decay, (1 + int(steps)) / (10 + int(steps)))
        for average, value in zip(kept, now, strict=True):
            if average.is_floating_point():
                average.lerp_(value.to(average.dtype), 1 - decay)
            else:
                average.copy_(value)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the average on the device, in the weights' precision: the copy was made before the module got there."""
        if self._average_model is not None:
            self._average_model.to(device=pl_module.device, dtype=pl_module.dtype)
