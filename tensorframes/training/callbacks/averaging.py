"""An exponential moving average of the weights, used for validation, tests and checkpoints."""

from collections.abc import Sequence
from typing import cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor


class EMA(WeightAveraging):
    """w_mean <- d w_mean + (1 - d) w after every step, with d = min(decay, (1 + n) / (10 + n)) at step n.

    The growing d removes the initial weights from the average of short runs (as in TensorFlow's
    ExponentialMovingAverage). Checkpoints hold the average as ``state_dict``, and the weights themselves beside it.

    Args:
        decay: the limit of d.
    """

    def __init__(self, decay: float = 0.99) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"expected decay in [0, 1), got {decay}")
        self.decay = decay
        super().__init__(use_buffers=True, multi_avg_fn=self._average)

    @torch.no_grad()
    def _average(self, averages: Sequence[Tensor], weights: Sequence[Tensor], steps: Tensor | int) -> None:
        step = int(steps)  # of a tensor on a GPU, for which the CPU waits
        decay = min(self.decay, (1 + step) / (10 + step))
        for average, value in zip(averages, weights, strict=True):
            if average.is_floating_point():
                average.lerp_(value.to(average.dtype), 1 - decay)
            else:
                average.copy_(value)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Moves the average to the device and precision of the module, which it was copied from before the module was
        moved."""
        if self._average_model is not None:
            self._average_model.to(device=pl_module.device, dtype=cast(torch.dtype, pl_module.dtype))
