"""The expected error of each normal: a distribution of its angle to the true normal, predicted by the network."""

from __future__ import annotations

import math
from typing import TypeVar, cast

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from tensorframes.layers import MLP
from tensorframes.reps import full_precision

LEAST, MOST = -2.0, 10.0  # logarithm of the concentration: the expected error is between 0.005 and 57 degrees
PARAMETERS = 3  # of a distribution

Angles = TypeVar("Angles", Tensor, NDArray)


class ErrorModel(nn.Module):
    r"""The distribution of the angle between an unoriented normal and the true one, as a mixture of two.

    .. math:: f(\theta) = w f_{\kappa_1}(\theta) + (1 - w) f_{\kappa_2}(\theta), \qquad
        f_\kappa(\theta) = \frac{\kappa^2 + 1}{2 \pi (1 + e^{-\kappa \pi})}
        \left(e^{-\kappa \theta} + e^{-\kappa (\pi - \theta)}\right),

    a density over axes (half of the sphere), where a perceptron computes :math:`(w, \kappa_1, \kappa_2)`. Each
    component is the angular von Mises-Fisher distribution of Bae, Budvytis and Cipolla (ICCV 2021, eq. 5), folded,
    since n and -n are the same. There are two, because beside an edge a normal is either nearly right or
    that of the other side.

    Args:
        width: of the features. hidden: of the perceptron.
    """

    def __init__(self, width: int, hidden: int = 32) -> None:
        super().__init__()
        self.net = MLP([width, hidden, hidden, PARAMETERS])
        with torch.no_grad():  # starts with expected errors of about 2 and 30 degrees, the former more probable
            last = cast(nn.Linear, self.net.layers[-1])
            last.weight.mul_(0.1)
            last.bias.copy_(torch.tensor([1.0, 4.0, 1.0]))

    def forward(self, features: Tensor) -> Tensor:
        """Parameters (M, 3) of the distributions, of features (M, width): the logit of w, the logarithms of kappa."""
        out: Tensor = self.net(features)
        return out


@full_precision
def log_density(parameters: Tensor, angle: Tensor) -> Tensor:
    """The logarithms of the densities (M,) at angles (M,) in [0, pi / 2], of parameters (M, 3) of ``ErrorModel``."""
    logit, kappa = _unpacked(parameters)
    angle = angle.unsqueeze(-1)
    tails = torch.logaddexp(-kappa * angle, -kappa * (math.pi - angle))
    each = (kappa.square() + 1).log() - math.log(2 * math.pi) - (-kappa * math.pi).exp().log1p() + tails
    return torch.logsumexp(each + torch.stack([logsigmoid(logit), logsigmoid(-logit)], dim=-1), dim=-1)


@full_precision
def expected_error(parameters: Tensor) -> Tensor:
    r"""The expected angles (M,), radians, of parameters (M, 3) of ``ErrorModel``; of each part of the mixture

    .. math:: \int_0^{\pi/2} \theta f_\kappa(\theta)\, 2 \pi \sin\theta\, d\theta =
        2\, \frac{\kappa (1 - e^{-\kappa \pi}) - e^{-\kappa \pi / 2} (\kappa^2 - 1)}{(\kappa^2 + 1)(1 + e^{-\kappa\pi})}

    at most 1 (that of axes that are distributed evenly), about :math:`2 / \kappa` if small.
    """
    logit, kappa = _unpacked(parameters)
    half, square = (-kappa * math.pi / 2).exp(), kappa.square()
    above = kappa * (1 - half.square()) - half * (square - 1)
    share = torch.stack([logit, -logit], dim=-1).sigmoid()
    return (share * 2 * above / ((square + 1) * (1 + half.square()))).sum(-1)


def confidence(expected: Angles) -> Angles:
    """1 - the expected angle in radians, in [0, 1]: 1 for an exact normal, 0 for one no better than a random axis."""
    return (1 - expected).clip(0, 1)


def _unpacked(parameters: Tensor) -> tuple[Tensor, Tensor]:
    """The logit of the first part (M,), and the concentrations (M, 2)."""
    return parameters[:, 0], parameters[:, 1:].clamp(LEAST, MOST).exp()
