"""The LightningModule: one training step, validation in degrees, and what a checkpoint carries."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch_geometric.data import Batch

from tensorframes.data import keys
from tensorframes.normals import Estimator, Prediction
from tensorframes.training.finite import Diverged, all_finite, gives_finite_values
from tensorframes.training.losses import ChordalLoss, NormalPrediction, mean_where, rmse_degrees
from tensorframes.training.schedule import OptimizerFactory, Schedule, parameter_groups

FORMAT = 2  # of what a checkpoint carries; raised whenever older recipes no longer build
ROUNDING = 2.5e-6  # of a cloud's scale: of 100,000 points, whose coordinates reach about 100 scales, in float32
FALLBACKS = ("wider", "cloud", "world")  # where frames came from that a point's neighbourhood did not carry


class NormalTraining(pl.LightningModule):
    """Trains an estimator.

    Args:
        estimator: (pos (N, 3), batch (N,), scale (B,), rows (M,)) -> prediction with normal (M, 3) and steps (S, M, 3).
        loss: prediction and batch -> scalar.
        optimizer: parameter groups -> optimiser.
        schedule: the learning rate's course over the trainer's ``max_steps``.
        seed: with the step's number, decides every random draw made inside the network.
        recipe: plain values stored in the checkpoint, from which the estimator can be built again.
        only: parts of the estimator that are trained, as its parameters' names begin (``head.choice``); the others stay
            as they are. None of them: all are trained.
        steady: weight of ``ChordalLoss.unsteadiness`` between the normals and those of the same clouds, each coordinate
            off by as much as float32 rounds it in a cloud of 100,000 points. 0 saves the second pass.
    """

    def __init__(
        self,
        estimator: Estimator,
        loss: ChordalLoss,
        optimizer: OptimizerFactory,
        schedule: Schedule,
        seed: int = 0,
        recipe: dict[str, Any] | None = None,
        only: Sequence[str] = (),
        steady: float = 0.0,
    ) -> None:
        super().__init__()
        if steady < 0:
            raise ValueError(f"expected steady >= 0, got {steady}")
        if loss.oriented and not estimator.oriented:
            raise ValueError("expected an estimator that claims orientation for an oriented loss, got none")
        self.estimator, self.loss = estimator, loss
        self.optimizer, self.schedule = optimizer, schedule
        self.seed, self.recipe, self.steady = seed, recipe or {}, steady
        self._keep_all_but(only)
        self._scores: list[tuple[int, str, float]] = []
        self._last: Batch | None = None  # the batch that weights are tried on before they are saved
        self.train()  # what that means for parts that are not trained is said below, and nobody else asks for it

    def _keep_all_but(self, only: Sequence[str]) -> None:
        """Take every parameter from training that belongs to none of these parts.

        Raises:
            ValueError: a part has no parameters.
        """
        names = [name for name, _ in self.estimator.named_parameters()]
        if unknown := [part for part in only if not any(f"{name}.".startswith(f"{part}.") for name in names)]:
            found = ", ".join(dict.fromkeys(".".join(name.split(".")[:2]) for name in names))
            raise ValueError(f"expected parts of the estimator to train, such as {found}, got {unknown[0]}")
        if only:
            for name, parameter in self.estimator.named_parameters():
                parameter.requires_grad_(any(f"{name}.".startswith(f"{part}.") for part in only))

    def train(self, mode: bool = True) -> "NormalTraining":
        """Training mode, in which the averages of batch norms that are not trained stay as they are, too."""
        super().train(mode)
        norms = [each for each in self.estimator.modules() if isinstance(each, torch.nn.modules.batchnorm._BatchNorm)]
        for norm in norms:
            if norm.weight is not None and not norm.weight.requires_grad:
                norm.eval()
        return self

    def configure_optimizers(self) -> dict[str, Any]:
        """The optimiser and a schedule that moves every step."""
        optimizer = self.optimizer(parameter_groups(self.estimator))
        scheduler = self.schedule(optimizer, self.trainer.max_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Reseed: draws inside the network are a function of (seed, step), on every rank, and survive a resumption."""
        self._reseed()
        self._last = batch

    def _reseed(self) -> None:
        torch.manual_seed(hash((self.seed, self.global_step)) % 2**63)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch; logs ``train/loss`` and ``train/rmse`` (degrees, mean over clouds), and the
        share of points whose frames came from farther away (``Frames.fallback``).

        Raises:
            Diverged: the loss, or what the network computes, is not finite.
        """
        prediction = self._predict(batch)
        loss = self._judged(prediction, self._shaken(batch).normal if self.steady > 0 else None, batch)
        fallback, sync = prediction.fallback, self.trainer.world_size > 1
        for step, name in enumerate(FALLBACKS if fallback is not None else (), start=1):
            share = (fallback == step).float().mean()
            self.log(f"train/frames_from_{name}", share, batch_size=1, sync_dist=sync)
        return loss

    def _judged(self, prediction: NormalPrediction, again: Tensor | None, batch: Batch) -> Tensor:
        """The loss of normals at the inner points of a batch, and of those (M, 3) found again; logged, and finite."""
        loss, sync = self.loss(prediction, batch), self.trainer.world_size > 1
        if again is not None:
            unsteadiness = self.loss.unsteadiness(prediction.normal, again, batch)
            loss = loss + self.steady * unsteadiness
            self.log("train/unsteadiness", unsteadiness, batch_size=batch.num_graphs, sync_dist=sync)
        self._check_finite(loss, "loss")
        rmse = mean_where(rmse_degrees(prediction.normal.detach(), batch, self.loss.oriented), batch)
        for name, value, shown in (("loss", loss, False), ("rmse", rmse, True)):
            self.log(f"train/{name}", value, prog_bar=shown, batch_size=batch.num_graphs, sync_dist=sync)
        self.log("train/lr", self.trainer.optimizers[0].param_groups[0]["lr"], batch_size=1)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation; draws are the same at every validation."""
        self._scores = []
        torch.manual_seed(self.seed)

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Score whole clouds; returns the normals predicted at the inner points (M, 3) for the callbacks."""
        normal = self._predict(batch).normal
        rmse = rmse_degrees(normal, batch, self.loss.oriented).tolist()
        self._scores += list(zip(batch.place.tolist(), batch.category, rmse, strict=True))
        return normal

    def on_validation_epoch_end(self) -> None:
        """Log the mean RMSE of each category (``val/rmse/NAME``) and the mean over categories (``val/rmse``)."""
        scores = self._gather()
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

    def _predict(self, batch: Batch, pos: Tensor | None = None) -> Prediction:
        """The estimator's answer at the inner points, all that is asked of it; for other positions if given."""
        pos = batch.pos if pos is None else pos
        rows, known = batch.inner.nonzero()[:, 0], {key: batch[key] for key in (keys.PROFILE,) if key in batch}
        try:
            prediction: Prediction = self.estimator(pos, batch.batch, batch.scale, rows, **known)
        except (RuntimeError, ValueError) as error:
            again = partial(self.estimator, pos, batch.batch, batch.scale, rows, **known)
            if isinstance(error, torch.linalg.LinAlgError) or not gives_finite_values(self.estimator, again):
                raise self._diverged("finite features", "NaN or infinity") from error
            raise
        return prediction

    def _check_finite(self, value: Tensor, what: str) -> None:
        """Raises Diverged, on every rank alike, where a number is not finite."""
        value, trainer = value.detach().clone(), self.trainer  # a copy: what is reduced is overwritten
        known = float(trainer.strategy.reduce(value, reduce_op="sum") if trainer.world_size > 1 else value)
        if not math.isfinite(known):
            raise self._diverged(f"a finite {what}", str(known))

    def _diverged(self, expected: str, found: str) -> Diverged:
        return Diverged(f"expected {expected}, got {found} at step {self.global_step}")

    def _shaken(self, batch: Batch) -> NormalPrediction:
        """The answer for coordinates that were rounded otherwise, with the same draws inside the network."""
        exact, scale = batch.pos.double(), batch.scale.double().index_select(0, batch.batch).unsqueeze(-1)
        shaken = exact + ROUNDING * scale * torch.randn_like(exact)
        self._reseed()
        return self._predict(batch, shaken if self.estimator.accepts_float64 else shaken.to(batch.pos))

    def _gather(self) -> list[tuple[int, str, float]]:
        """The scores of every rank, in the clouds' order, each cloud once."""
        everyone = [self._scores]
        if self.trainer.world_size > 1:
            everyone = [[] for _ in range(self.trainer.world_size)]
            torch.distributed.all_gather_object(everyone, self._scores)
        once = {score[0]: score for scores in everyone for score in scores}
        return [once[place] for place in sorted(once)]

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """One step; Adam divides the learning rate by small numbers, and torch refuses a quotient beyond float32.

        Raises:
            Diverged: the learning rate overflows.
        """
        try:
            super().optimizer_step(*args, **kwargs)
        except RuntimeError as error:
            if "without overflow" not in str(error):
                raise
            rate = self.trainer.optimizers[0].param_groups[0]["lr"]
            raise self._diverged("a step within float32", f"a learning rate of {rate:.3g}") from error

    def loss_of(self, batch: Batch) -> Tensor:
        """The loss of one batch, not logged."""
        return self.loss(self._predict(batch), batch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what is needed to build the estimator from the file alone.

        Weights are saved only if the loss of the last batch is finite with them: the checkpoint before stays otherwise.

        Raises:
            Diverged: it is not, or a weight is not.
        """
        if not all_finite(*checkpoint["state_dict"].values()):
            raise self._diverged("finite weights", "NaN or infinity")
        if self._last is not None:
            training = self.training
            self.eval()
            with torch.no_grad(), self.trainer.precision_plugin.forward_context():
                self._check_finite(self.loss_of(self._last), "loss")
            self.train(training)
            self._last = None  # once a step
        checkpoint["tensorframes"] = {"format": FORMAT, **self.recipe}
