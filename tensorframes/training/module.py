"""The LightningModule: training step, validation in degrees, and the recipe in checkpoints."""

import math
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torch_geometric.data import Batch

from tensorframes.data import keys
from tensorframes.errors import UserError, out_of_memory
from tensorframes.normals import Estimator, Prediction
from tensorframes.normals.earlier_names import with_present_names
from tensorframes.training.finite import Diverged, all_finite, gives_finite_values
from tensorframes.training.losses import ChordalLoss, mean_where, rmse_degrees
from tensorframes.training.schedule import OptimizerFactory, Schedule, parameter_groups, set_as_configured

FORMAT = 3  # of the recipe in a checkpoint; increased whenever older recipes cannot be built any more
SHOWN = 4  # clouds of a batch in messages
Score = tuple[int, str, float]  # place and category of a validation cloud, and a number
FALLBACKS = ("wider", "cloud", "world")  # sources of the frames of degenerate neighbourhoods, Frames.fallback 1 to 3


class NormalTraining(pl.LightningModule):
    """Trains an estimator.

    Args:
        estimator: (pos (N, 3), batch (N,), scale (B,), rows (M,)) -> prediction with normal (M, 3) and iterates
            (S, M, 3).
        loss: prediction and batch -> scalar.
        optimizer: parameter groups -> optimiser.
        schedule: optimiser and number of steps -> learning rate scheduler.
        seed: with the step, determines all random numbers inside the network.
        recipe: plain values stored in the checkpoint, from which the estimator can be built.

    Raises:
        ValueError: the loss is oriented and the estimator is not.
    """

    def __init__(
        self,
        estimator: Estimator,
        loss: ChordalLoss,
        optimizer: OptimizerFactory,
        schedule: Schedule,
        seed: int = 0,
        recipe: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if loss.oriented and not estimator.oriented:
            raise ValueError("expected an estimator that claims orientation for an oriented loss, got none")
        self.estimator, self.loss = estimator, loss
        self.optimizer, self.schedule = optimizer, schedule
        self.seed, self.recipe = seed, recipe or {}
        self._scores: list[Score] = []
        self._configured: list[dict[str, Any]] = []  # the settings of each parameter group
        self._drawn = (-1, 0)  # the step of the latest batch, and its place among the accumulated batches of that step
        self._last: Batch | None = None  # the batch that weights are checked on before they are saved

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The optimiser, and the schedule per step."""
        optimizer = self.optimizer(parameter_groups(self.estimator))
        chosen = self.optimizer.keywords if isinstance(self.optimizer, partial) else {}
        self._configured = [{key: group[key] for key in chosen if key in group} for group in optimizer.param_groups]
        scheduler = self.schedule(optimizer, self.trainer.max_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_train_start(self) -> None:
        """Gives the optimiser the settings of this run, where Lightning has restored those of a checkpoint."""
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, LambdaLR):
            set_as_configured(self.trainer.optimizers[0], scheduler, self._configured)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Reseeds: random numbers in the network are functions of the seed, the step and the batch within it, on every
        rank and after resumption, so that all ranks choose the same pass of SO(3) frames."""
        step, place = self._drawn
        self._drawn = self.global_step, place + 1 if step == self.global_step else 0
        torch.manual_seed(hash((self.seed, *self._drawn) if self._drawn[1] else (self.seed, self.global_step)) % 2**63)
        self._last = batch

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch; logs ``train/loss``, ``train/rmse`` (degrees, mean over clouds), ``train/lr`` and the
        shares of points with fallback frames (``Frames.fallback``).

        Raises:
            Diverged: the loss, or a feature of the network, is not finite; it names the clouds of the batch.
            UserError: the loss is not one number, or has no gradient.
        """
        prediction = self._predict(batch)
        loss = self._logged_loss(prediction, batch)
        if not loss.requires_grad:
            name = type(self.loss).__name__
            raise UserError(f"expected a loss with a gradient from {name}, got one that does not depend on the weights")
        fallback, sync = prediction.fallback, self.trainer.world_size > 1
        for step, name in enumerate(FALLBACKS if fallback is not None else (), start=1):
            share = torch.eq(torch.as_tensor(fallback), step).float().mean()
            self.log(f"train/frames_from_{name}", share, batch_size=1, sync_dist=sync)
        return loss

    def _logged_loss(self, prediction: Prediction, batch: Batch) -> Tensor:
        """The finite loss of a prediction, logged with the error and the learning rate."""
        loss, sync = self._minimised(prediction, batch), self.trainer.world_size > 1
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            got = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
            raise UserError(f"expected one number from {type(self.loss).__name__}, got {got}")
        self._check_finite(loss, "loss", batch)
        rmse = mean_where(rmse_degrees(prediction.normal.detach(), batch, self.loss.oriented), batch)
        for name, value, shown in (("loss", loss, False), ("rmse", rmse, True)):
            self.log(f"train/{name}", value, prog_bar=shown, batch_size=batch.num_graphs, sync_dist=sync)
        self.log("train/lr", self.trainer.optimizers[0].param_groups[0]["lr"], batch_size=1)
        return loss

    def _minimised(self, prediction: Prediction, batch: Batch) -> Tensor:
        """The loss whose gradient a step follows."""
        loss: Tensor = self.loss(prediction, batch)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Clears the scores and reseeds, so that every validation uses the same random numbers."""
        self._scores = []
        torch.manual_seed(self.seed)

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Scores whole clouds; returns the normals (M, 3) predicted in the loss mask, for the callbacks."""
        return self._scored(self._predict(batch).normal, batch)

    def _scored(self, normal: Tensor, batch: Batch) -> Tensor:
        rmse = rmse_degrees(normal, batch, self.loss.oriented).tolist()
        self._scores += list(zip(batch.place.tolist(), batch.category, rmse, strict=True))
        return normal

    def on_validation_epoch_end(self) -> None:
        """Logs the mean RMSE of each category (``val/rmse/NAME``) and their mean (``val/rmse``)."""
        scores = self._gather(self._scores)
        categories = list(dict.fromkeys(category for _, category, _ in scores))
        means = {}
        for category in categories:
            values = [value for _, name, value in scores if name == category]
            means[category] = sum(values) / len(values)
            self.log(f"val/rmse/{category}", means[category], sync_dist=True, batch_size=1)
        if means:
            mean = sum(means.values()) / len(means)
            self._check_finite(torch.tensor(mean, device=self.device), "val/rmse")
            self.log("val/rmse", mean, prog_bar=True, sync_dist=True, batch_size=1)

    def _predict(self, batch: Batch) -> Prediction:
        """The estimator's prediction in the loss mask of a batch."""
        profile = {key: batch[key] for key in (keys.PROFILE,) if key in batch}
        rows = batch.loss_mask.nonzero()[:, 0]
        call = partial(self.estimator, batch.pos, batch.batch, batch.scale, rows, **profile)
        try:
            prediction: Prediction = call()
        except (RuntimeError, ValueError) as error:
            if out_of_memory(error):
                raise
            if isinstance(error, torch.linalg.LinAlgError) or not gives_finite_values(self.estimator, call):
                raise self._diverged("finite features", "NaN or infinity", batch) from error
            raise
        return prediction

    def _check_finite(self, value: Tensor, what: str, batch: Batch | None = None) -> None:
        """Raises Diverged, on all ranks, if a number is not finite on any."""
        value, trainer = value.detach().clone(), self.trainer  # a copy: the reduction overwrites it
        total = float(trainer.strategy.reduce(value, reduce_op="sum") if trainer.world_size > 1 else value)
        if not math.isfinite(total):
            raise self._diverged(f"a finite {what}", str(total), batch)

    def _diverged(self, expected: str, got: str, batch: Batch | None) -> Diverged:
        trained = self.global_step > 0 or batch is None  # the first batch is of weights that are not trained yet
        hint = ": a lower optimizer.lr may help" if trained else ""
        return Diverged(f"expected {expected}, got {got} at step {self.global_step}{clouds_of(batch)}{hint}")

    def _gather(self, own: list[Score]) -> list[Score]:
        """The scores of all ranks in the order of the clouds, each cloud once."""
        everyone = [own]
        if self.trainer.world_size > 1:
            everyone = [[] for _ in range(self.trainer.world_size)]
            torch.distributed.all_gather_object(everyone, own)
        once = {score[0]: score for scores in everyone for score in scores}
        return [once[place] for place in sorted(once)]

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """One step. Adam divides the learning rate by small numbers, and torch refuses quotients beyond float32.

        Raises:
            Diverged: the learning rate overflows.
        """
        try:
            super().optimizer_step(*args, **kwargs)
        except RuntimeError as error:
            if "without overflow" not in str(error):
                raise
            rate = self.trainer.optimizers[0].param_groups[0]["lr"]
            raise self._diverged("a step within float32", f"a learning rate of {rate:.3g}", None) from error

    def loss_of(self, batch: Batch) -> Tensor:
        """The loss of one batch, without logging."""
        return self.loss(self._predict(batch), batch)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Gives the parameters their present names, in the weights and in their average."""
        for key in ("state_dict", "current_model_state"):
            if key in checkpoint:
                checkpoint[key] = with_present_names(checkpoint[key], self)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the recipe, from which the estimator can be built.

        Weights are saved only if they and the loss of the last batch with them are finite; otherwise the previous
        checkpoint remains.

        Raises:
            Diverged: the loss or a weight is not finite.
        """
        if not all_finite(*checkpoint["state_dict"].values()):
            raise self._diverged("finite weights", "NaN or infinity", self._last)
        if self._last is not None:
            training = self.training
            self.eval()
            with torch.no_grad(), self.trainer.precision_plugin.forward_context():
                self._check_finite(self.loss_of(self._last), "loss", self._last)
            self.train(training)
            self._last = None  # checked once per step
        checkpoint["tensorframes"] = {"format": FORMAT, **self.recipe}


def clouds_of(batch: Batch | None) -> str:
    """The clouds of a batch, for messages; empty where they have no names."""
    names = list(dict.fromkeys(getattr(batch, keys.NAME, None) or []))
    shown = [*names[:SHOWN], *([f"{len(names) - SHOWN} more"] if len(names) > SHOWN else [])]
    return f" (batch of {', '.join(shown)})" if shown else ""
