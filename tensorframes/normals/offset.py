"""Points moved towards the planes fitted to their neighbourhoods."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from tensorframes.normals.fit import Fit, fitted_value


class Offset(nn.Module):
    r"""Moves each point a part of the way to the plane that was fitted to its neighbourhood:

    .. math:: x_i' = x_i + \sigma(a_i)\, h_i\, n_i,

    where n is the normal of the fit, h the height of the fitted points' mean above the point, and a an output of the
    network. It is a partial projection onto a moving least squares surface, similar to the offsets of AdaFit (Zhu et
    al. 2021). With less noise in the positions, the heights of neighbours show edges.

    Args:
        embedding: width of the points' embedding. hidden: width of the features of the fits.
    """

    def __init__(self, embedding: int, hidden: int) -> None:
        super().__init__()
        self.step_layer = nn.Linear(embedding + hidden, 1)
        with torch.no_grad():  # starts with sigmoid(-2) = 0.12 for all points
            self.step_layer.weight.zero_()
            self.step_layer.bias.fill_(-2.0)

    def forward(self, fit: Fit, embedding: Tensor, rows: Tensor, displacement: Tensor) -> tuple[Fit, Tensor]:
        """The fit with heights above the moved points, and the displacement of all points (N, 3).

        Args:
            fit: of the rows. embedding: (M, E) of the rows. rows: (M,) points.
            displacement: (N, 3) so far.
        """
        height = fitted_value(fit.height)
        logit = self.step_layer(torch.cat([embedding, fitted_value(fit.features)], dim=-1)).squeeze(-1)
        step = logit.to(height.dtype).sigmoid() * height.detach()
        offset = torch.zeros_like(displacement).index_copy(0, rows, step.unsqueeze(-1) * fit.normal.detach())
        return replace(fit, height=height - step), displacement + offset
