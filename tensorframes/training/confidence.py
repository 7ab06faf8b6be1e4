"""Training of the expected error alone: the network stays as it is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from tensorframes.normals import Estimator, Prediction
from tensorframes.normals.confidence import log_density
from tensorframes.training.losses import ChordalLoss, cloud_mean, mean_where, squared_chord
from tensorframes.training.module import NormalTraining
from tensorframes.training.schedule import OptimizerFactory, Schedule

LEARNED = "head.error"  # the part of the estimator that is trained


class ErrorLikelihood(ChordalLoss):
    r"""The negative log-likelihood of the errors, :math:`-\log f_i(\theta_i)`, the mean of each cloud, averaged over
    clouds. :math:`f_i` is the predicted distribution (``ErrorModel``), :math:`\theta_i` the angle to the true normal.
    """

    def __init__(self) -> None:
        super().__init__(oriented=False)

    def forward(self, prediction: Prediction, batch: Batch) -> Tensor:
        """The loss, a scalar; arguments as in ``ChordalLoss``.

        Raises:
            ValueError: the network predicts no error.
        """
        if prediction.error is None:
            raise ValueError("expected a network with a model of its error (model.head.error), got one without")
        return mean_where(self.of_clouds(prediction.normal, prediction.error, batch), batch)

    def of_clouds(self, normal: Tensor, parameters: Tensor, batch: Batch) -> Tensor:
        """The mean of each cloud (B,), of normals (M, 3) and parameters of distributions (M, 3) in the loss mask."""
        chord = squared_chord(normal.detach(), batch.normal[batch.loss_mask], oriented=False).sqrt()
        angle = 2 * torch.asin((chord / 2).clamp(max=1))
        of = batch.batch[batch.loss_mask]
        return cloud_mean(-log_density(parameters.to(angle), angle), of, batch.num_graphs)


class ConfidenceTraining(NormalTraining):
    """Trains the model of the error (``ErrorModel``) of an estimator, whose other parameters are frozen.

    The estimator is in evaluation mode, so that it makes the errors it makes when it is used. The score of validation
    is ``val/nll``, the mean negative log-likelihood of the errors of a cloud, beside ``val/rmse``, which is constant.

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
        self.loss = ErrorLikelihood()
        for name, parameter in estimator.named_parameters():
            parameter.requires_grad_(name.startswith(f"{LEARNED}."))
        if not any(parameter.requires_grad for parameter in estimator.parameters()):
            raise ValueError("expected a network with a model of its error (model.head.error), got one without")

    def train(self, mode: bool = True) -> ConfidenceTraining:
        """Set the mode of the model of the error; the network stays in evaluation mode."""
        super().train(mode)
        self.estimator.eval()
        self.estimator.get_submodule(LEARNED).train(mode)
        return self

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """As in ``NormalTraining``; also the likelihoods."""
        prediction, sync = self._predict(batch), self.trainer.world_size > 1
        self.log("val/nll", self.loss(prediction, batch), batch_size=batch.num_graphs, on_epoch=True, sync_dist=sync)
        return self._scored(prediction.normal, batch)
