"""Training of the error model alone, with a frozen network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from tensorframes.normals import Estimator, Prediction
from tensorframes.normals.confidence import log_density
from tensorframes.training.losses import ChordalLoss, cloud_mean, mean_where, squared_chord
from tensorframes.training.module import NormalTraining, Score
from tensorframes.training.schedule import OptimizerFactory, Schedule

LEARNED = "head.error"  # the part of the estimator that is trained
KEPT = 1024  # points of each batch that are remembered
REMEMBERED = 2**20  # points that are remembered in all, the latest
DRAWN = 16384  # remembered points that each step learns from
STORED = "evidence"  # their key in a checkpoint


class ErrorLikelihood(ChordalLoss):
    r"""The negative log-likelihood of the errors, :math:`-\log f_i(\theta_i)`, the mean of each cloud, averaged over
    clouds. :math:`f_i` is the predicted distribution (``ErrorModel``), :math:`\theta_i` the angle to the true normal.
    """

    def __init__(self) -> None:
        super().__init__(oriented=False)

    def forward(self, prediction: Prediction, batch: Batch) -> Tensor:
        """The loss, a scalar; arguments and errors as in ``of_clouds``."""
        return mean_where(self.of_clouds(prediction, batch), batch)

    def of_clouds(self, prediction: Prediction, batch: Batch) -> Tensor:
        """The mean of each cloud (B,); arguments as in ``ChordalLoss``.

        Raises:
            ValueError: the network predicts no error.
        """
        if prediction.error is None:
            raise ValueError("expected a network with a model of its error (model.head.error), got one without")
        angle = angle_to_truth(prediction.normal, batch)
        of = batch.batch[batch.loss_mask]
        return cloud_mean(-log_density(prediction.error.to(angle), angle), of, batch.num_graphs)


def angle_to_truth(normal: Tensor, batch: Batch) -> Tensor:
    """Angles (M,) in radians, at most pi / 2, of normals (M, 3) in the loss mask of a batch to its own."""
    chord = squared_chord(normal.detach(), batch.normal[batch.loss_mask], oriented=False).sqrt()
    return 2 * torch.asin((chord / 2).clamp(max=1))


class ConfidenceTraining(NormalTraining):
    """Trains the model of the error (``ErrorModel``) of an estimator, whose other parameters are frozen.

    The estimator is in evaluation mode, so that its errors are those of its later use. Its features and errors at a
    point do not change during the training. KEPT points of each batch are therefore stored, and each step minimises the
    mean negative log-likelihood of DRAWN of all stored points, since the points of one patch are correlated.
    Checkpoints hold the stored points, about 100 bytes each; after a continuation all ranks have those of the first.
    The validation score is ``val/nll``, the mean negative log-likelihood of the errors of a cloud; ``val/rmse`` is
    constant.

    Args:
        estimator, loss, others: as in ``NormalTraining``; the loss is that of the network, and is not used.
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
        super().__init__(estimator, loss, optimizer, schedule, seed, recipe)
        self.loss: ErrorLikelihood = ErrorLikelihood()
        for name, parameter in estimator.named_parameters():
            parameter.requires_grad_(name.startswith(f"{LEARNED}."))
        if not any(parameter.requires_grad for parameter in estimator.parameters()):
            raise ValueError("expected a network with a model of its error (model.head.error), got one without")
        self._likelihoods: list[Score] = []
        self._memory = torch.empty(0)  # (K, F + 1) float16: features and angle of each remembered point

    def _minimised(self, prediction: Prediction, batch: Batch) -> Tensor:
        """Remembers points of the batch; the loss of points drawn from all that are remembered."""
        if prediction.error_features is None:
            raise ValueError("expected a network that tells what its error is predicted from, got one without")
        rows = torch.column_stack([prediction.error_features, angle_to_truth(prediction.normal, batch)])
        rows = rows[torch.randperm(len(rows), device=rows.device)[:KEPT]].half()
        self._memory = torch.cat([self._memory.to(rows).reshape(-1, rows.shape[1]), rows])[-REMEMBERED:]
        drawn = torch.randint(len(self._memory), (DRAWN,), device=rows.device)
        features, angle = self._memory[drawn].float().split([rows.shape[1] - 1, 1], dim=1)
        return -log_density(self.estimator.get_submodule(LEARNED)(features), angle[:, 0]).mean()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """As in ``NormalTraining``; adds the remembered points."""
        super().on_save_checkpoint(checkpoint)
        checkpoint[STORED] = self._memory.cpu()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """As in ``NormalTraining``; remembers the points of the checkpoint."""
        super().on_load_checkpoint(checkpoint)
        self._memory = checkpoint.get(STORED, self._memory)

    def train(self, mode: bool = True) -> ConfidenceTraining:
        """Set the mode of the model of the error; the network stays in evaluation mode."""
        super().train(mode)
        self.estimator.eval()
        self.estimator.get_submodule(LEARNED).train(mode)
        return self

    def on_validation_epoch_start(self) -> None:
        """As in ``NormalTraining``; also clears the likelihoods."""
        super().on_validation_epoch_start()
        self._likelihoods = []

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """As in ``NormalTraining``; also the likelihoods."""
        prediction = self._predict(batch)
        values = self.loss.of_clouds(prediction, batch).tolist()
        self._likelihoods += list(zip(batch.place.tolist(), batch.category, values, strict=True))
        return self._scored(prediction.normal, batch)

    def on_validation_epoch_end(self) -> None:
        """As in ``NormalTraining``; also logs the mean negative log-likelihood of all clouds (``val/nll``)."""
        super().on_validation_epoch_end()
        values = [value for _, _, value in self._gather(self._likelihoods)]
        if values:
            self.log("val/nll", sum(values) / len(values), batch_size=1, sync_dist=True)
