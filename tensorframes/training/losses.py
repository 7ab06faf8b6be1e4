"""Losses: the root mean square of the chordal distance, cloud by cloud, so that what is minimised is what is scored."""

import math
from typing import Protocol

import torch
from torch import Tensor
from torch_geometric.data import Batch

from tensorframes.data import keys
from tensorframes.errors import UserError

SLIGHT_MOVE = 0.1  # degrees by which a normal may move without much loss,
SMALL_ERROR = 3.0  # and degrees of its cloud's error from which on it may move farther


class NormalPrediction(Protocol):
    """What an estimator answers for the M rows it was asked for: unit rows (M, 3), or zero where there is no normal.

    ``iterates`` (S, M, 3): the normals it was corrected from.
    """

    normal: Tensor
    iterates: Tensor


def squared_chord(normal: Tensor, target: Tensor, oriented: bool) -> Tensor:
    """|n - t|^2 per row, unoriented min(|n - t|^2, |n + t|^2) = |n - sign(n . t) t|^2.

    A zero row of ``normal`` means "no normal" and counts as the largest possible error (4 oriented, 2 unoriented),
    a constant: it has no gradient.

    Args:
        normal: (N, 3) unit or zero rows. target: (N, 3) unit rows. oriented: whether signs count.

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
    """Mean of one value a cloud (B,) over the clouds that have inner points; 0, with gradients of 0, where none has."""
    there = values.new_zeros(len(values)).index_fill(0, batch.batch[batch.inner], 1.0)
    return (values * there).sum() / there.sum().clamp(min=1)


def rmse_degrees(normal: Tensor, batch: Batch, oriented: bool = False) -> Tensor:
    """Each cloud's root mean square angle over its M inner points, degrees (B,): angle = 2 arcsin(chord / 2); 0 for a
    cloud without inner points.

    ``normal`` (M, 3) is predicted at ``batch.inner``, in order.
    """
    chord = squared_chord(normal, batch.normal[batch.inner], oriented).sqrt()
    angle = torch.rad2deg(2 * torch.asin((chord / 2).clamp(max=1)))
    return cloud_mean(angle.square(), batch.batch[batch.inner], batch.num_graphs).sqrt()


class ChordalLoss(torch.nn.Module):
    r"""The mean over the clouds b that have inner points of the root of the mean over these of the squared chord, and a
    constant; 0 where no cloud has any:

    .. math:: L = \frac{1}{B} \sum_b \sqrt{\langle |n_i - t_i|^2 \rangle_{i \in b} + \epsilon + (\kappa \sigma_b)^2}.

    The root is taken cloud by cloud, as in the metric: otherwise the noisy clouds of a mixed batch dominate. Where
    samples are patches, though, the metric takes it of the cloud that a patch is part of, in which patches of large
    error count most; the constant makes them do so, if it is about what the cloud's own error is. Clouds with a larger
    constant count less as a whole.

    Args:
        oriented: whether signs count. iterates_weight: weight of the same loss on the normals that
            the estimator corrected, their mean.
        eps: the constant of clouds without noise; it keeps the root's gradient finite where one is without error.
        noise_error: kappa, the error in radians that noise makes whose standard deviation sigma is one diagonal of the
            cloud (``keys.NOISE``; taken as 0 in a batch without it).
    """

    def __init__(
        self, oriented: bool, iterates_weight: float = 0.0, eps: float = 1e-6, noise_error: float = 0.0
    ) -> None:
        super().__init__()
        if min(iterates_weight, noise_error) < 0 or eps <= 0:
            found = f"{iterates_weight}, {noise_error} and {eps}"
            raise ValueError(f"expected iterates_weight and noise_error >= 0 and eps > 0, got {found}")
        self.oriented, self.iterates_weight, self.eps, self.noise_error = oriented, iterates_weight, eps, noise_error

    def forward(self, prediction: NormalPrediction, batch: Batch) -> Tensor:
        """The loss, a scalar.

        Args:
            prediction: for the M inner points, in order. batch: with normal (N, 3), inner (N,), batch (N,).
        """
        loss = self._of(prediction.normal, batch)
        if self.iterates_weight > 0 and len(prediction.iterates):
            loss = (
                loss
                + self.iterates_weight
                * torch.stack([self._of(iterate, batch) for iterate in prediction.iterates]).mean()
            )
        return loss

    def unsteadiness(self, normal: Tensor, again: Tensor, batch: Batch) -> Tensor:
        r"""How many normals move when they should not, between 0 and 1: the mean over clouds b of the mean of
        :math:`d^2 / (d^2 + s_b^2)`, d the chord between two answers for the same point.

        s is 0.1 degrees times :math:`1 + (e_b / 3°)^2`, e_b the cloud's own error: where noise leaves more than a few
        degrees nothing needs to be steady.

        Args:
            normal, again: (M, 3) for the inner points, found twice. batch: as above.
        """
        cloud = batch.batch[batch.inner]
        off = squared_chord(normal.detach(), batch.normal[batch.inner], self.oriented)
        error = cloud_mean(off, cloud, batch.num_graphs) / math.radians(SMALL_ERROR) ** 2
        slight = (math.radians(SLIGHT_MOVE) * (1 + error)).square().index_select(0, cloud)
        moved = squared_chord(normal, again, self.oriented)
        return mean_where(cloud_mean(moved / (moved + slight), cloud, batch.num_graphs), batch)

    def _of(self, normal: Tensor, batch: Batch) -> Tensor:
        chord = squared_chord(normal, batch.normal[batch.inner], self.oriented)
        found = cloud_mean(chord, batch.batch[batch.inner], batch.num_graphs) + self.eps
        noise = getattr(batch, keys.NOISE, None)
        if self.noise_error > 0 and noise is not None:
            found = found + (self.noise_error * noise).square()
        return mean_where(found.sqrt(), batch)


class UnorientedLoss(ChordalLoss):
    """:class:`ChordalLoss` for lines: n and -n are the same answer."""

    def __init__(self, iterates_weight: float = 0.5, eps: float = 0.005, noise_error: float = 0.0) -> None:
        super().__init__(oriented=False, iterates_weight=iterates_weight, eps=eps, noise_error=noise_error)


class OrientedLoss(ChordalLoss):
    """:class:`ChordalLoss` for outward normals; refuses clouds whose signs are not consistent."""

    def __init__(self, iterates_weight: float = 0.0, eps: float = 1e-6, noise_error: float = 0.0) -> None:
        super().__init__(oriented=True, iterates_weight=iterates_weight, eps=eps, noise_error=noise_error)

    def forward(self, prediction: NormalPrediction, batch: Batch) -> Tensor:
        """The loss of a batch whose clouds are all oriented.

        Raises:
            UserError: a cloud's normals have no consistent sign.
        """
        unoriented = int((~batch.oriented).sum())
        if unoriented:
            raise UserError(
                f"expected clouds with consistently oriented normals, got {unoriented} of {batch.num_graphs} marked "
                "unoriented: train on the unoriented task, or on other data"
            )
        return super().forward(prediction, batch)
