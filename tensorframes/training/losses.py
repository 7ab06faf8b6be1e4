"""Losses: the root mean square chordal distance of each cloud, so that training minimises the score."""

import torch
from torch import Tensor
from torch_geometric.data import Batch

from tensorframes.data import keys
from tensorframes.errors import UserError
from tensorframes.normals import Prediction


def squared_chord(normal: Tensor, target: Tensor, oriented: bool) -> Tensor:
    """Squared chordal distance per row: |n - t|^2, unoriented min(|n - t|^2, |n + t|^2) = |n - sign(n . t) t|^2.

    A zero row of ``normal`` means "no normal" and has the largest possible error (4 oriented, 2 unoriented), without a
    gradient.

    Args:
        normal: (N, 3) unit or zero rows. target: (N, 3) unit rows. oriented: whether n and -n differ.

    Returns:
        (N,) float32, or float64 where ``normal`` is.
    """
    if normal.dtype != torch.float64:
        normal = normal.float()
    target = target.to(normal)
    if not oriented:
        along = (normal * target).sum(-1, keepdim=True).detach()
        target = torch.where(along < 0, -target, target)
    none = (normal == 0).all(-1)
    return torch.where(none, 4.0 if oriented else 2.0, (normal - target).square().sum(-1))


def cloud_mean(values: Tensor, batch: Tensor, clouds: int) -> Tensor:
    """Mean of ``values`` (M,) over the rows of each cloud; 0 for a cloud without rows. Returns (clouds,)."""
    total = values.new_zeros(clouds).index_add(0, batch, values)
    count = values.new_zeros(clouds).index_add(0, batch, torch.ones_like(values))
    return total / count.clamp(min=1)


def mean_where(values: Tensor, batch: Batch) -> Tensor:
    """Mean of values (B,) of clouds over those with points in the loss mask; 0, with zero gradient, if there are
    none."""
    mask = values.new_zeros(len(values)).index_fill(0, batch.batch[batch.loss_mask], 1.0)
    return (values * mask).sum() / mask.sum().clamp(min=1)


def rmse_degrees(normal: Tensor, batch: Batch, oriented: bool = False) -> Tensor:
    """Root mean square angle of each cloud over its points in the loss mask, degrees (B,); 0 for a cloud without any.

    angle = 2 arcsin(chord / 2). ``normal`` (M, 3) holds the predictions where ``batch.loss_mask`` is true, in order.
    """
    chord = squared_chord(normal, batch.normal[batch.loss_mask], oriented).sqrt()
    angle = torch.rad2deg(2 * torch.asin((chord / 2).clamp(max=1)))
    return cloud_mean(angle.square(), batch.batch[batch.loss_mask], batch.num_graphs).sqrt()


class ChordalLoss(torch.nn.Module):
    r"""The root mean square chord of each cloud, regularised, averaged over clouds:

    .. math:: L = \frac{1}{B} \sum_b \sqrt{\langle |n_i - t_i|^2 \rangle_{i \in b} + \epsilon + (\kappa \sigma_b)^2}.

    The inner mean is over the points of cloud b in the loss mask; clouds without any are left out. The root is taken
    per cloud, as in the metric; without it noisy clouds would dominate a mixed batch. Training samples are patches,
    while the metric takes the root over the whole cloud, where patches of large error dominate. Constants of the size
    of the squared error of the whole cloud imitate this: a patch of much smaller error contributes its squared error.

    Args:
        oriented: whether n and -n differ.
        iterates_weight: weight of the mean of the same loss over the iterates of the estimator.
        eps: constant of all clouds; also keeps the gradient of the root finite at zero error.
        noise_error: kappa, in radians of error per diagonal of noise. ``keys.NOISE`` holds sigma; it is 0 in a batch
            without it.
    """

    def __init__(
        self, oriented: bool, iterates_weight: float = 0.0, eps: float = 1e-6, noise_error: float = 0.0
    ) -> None:
        super().__init__()
        if not (iterates_weight >= 0 and noise_error >= 0 and eps > 0):
            given = f"{iterates_weight}, {noise_error} and {eps}"
            raise ValueError(f"expected iterates_weight and noise_error >= 0 and eps > 0, got {given}")
        self.oriented, self.iterates_weight, self.eps, self.noise_error = oriented, iterates_weight, eps, noise_error

    def forward(self, prediction: Prediction, batch: Batch) -> Tensor:
        """The loss, a scalar.

        Args:
            prediction: for the M points in the loss mask, in order. batch: with normal (N, 3), loss_mask (N,) and
                batch (N,).
        """
        loss = self._of(prediction.normal, batch)
        if self.iterates_weight > 0 and len(prediction.iterates):
            iterates = torch.stack([self._of(iterate, batch) for iterate in prediction.iterates])
            loss = loss + self.iterates_weight * iterates.mean()
        return loss

    def _of(self, normal: Tensor, batch: Batch) -> Tensor:
        """L for predictions (M, 3)."""
        chord = squared_chord(normal, batch.normal[batch.loss_mask], self.oriented)
        square = cloud_mean(chord, batch.batch[batch.loss_mask], batch.num_graphs) + self.eps
        noise = getattr(batch, keys.NOISE, None)
        if self.noise_error > 0 and noise is not None:
            square = square + (self.noise_error * noise).square()
        return mean_where(square.sqrt(), batch)


class UnorientedLoss(ChordalLoss):
    """:class:`ChordalLoss` for unoriented normals: n and -n are equal."""

    def __init__(self, iterates_weight: float = 0.5, eps: float = 0.005, noise_error: float = 0.0) -> None:
        super().__init__(oriented=False, iterates_weight=iterates_weight, eps=eps, noise_error=noise_error)


class OrientedLoss(ChordalLoss):
    """:class:`ChordalLoss` for outward normals; refuses clouds with inconsistent signs."""

    def __init__(self, iterates_weight: float = 0.0, eps: float = 1e-6, noise_error: float = 0.0) -> None:
        super().__init__(oriented=True, iterates_weight=iterates_weight, eps=eps, noise_error=noise_error)

    def forward(self, prediction: Prediction, batch: Batch) -> Tensor:
        """The loss of a batch of oriented clouds.

        Raises:
            UserError: a cloud's normals have inconsistent signs.
        """
        unoriented = int((~batch.oriented).sum())
        if unoriented:
            raise UserError(
                f"expected clouds with consistently oriented normals, got {unoriented} of {batch.num_graphs} marked "
                "unoriented: train on the unoriented task, or on other data"
            )
        return super().forward(prediction, batch)
