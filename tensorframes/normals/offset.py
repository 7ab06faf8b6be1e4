"""Points moved towards the planes fitted to their neighbourhoods."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from tensorframes.normals.fit import Fit, of_fit


class Offset(nn.Module):
    r"""Moves each point a part of the way to the plane that was fitted to its neighbourhood:

    .. math:: x_i' = x_i + \sigma(a_i)\, h_i\, n_i,

    n is the normal of the fit, h the height of its mean above the point and a an output of the network. It is a partial
    projection onto a moving least squares surface, similar to the offsets of AdaFit (Zhu et al. 2021). With noise
    reduced in this way, the heights of neighbours show edges.

    Args:
        embedding: width of the point embedding. hidden: width of the network of the fits.
    """

    def __init__(self, embedding: int, hidden: int) -> None:
        super().__init__()
        self.share = nn.Linear(embedding + hidden, 1)
        with torch.no_grad():  # starts at an eighth of the way, for all points
            self.share.weight.zero_()
            self.share.bias.fill_(-2.0)

    def forward(self, fit: Fit, embedding: Tensor, rows: Tensor, moved: Tensor) -> tuple[Fit, Tensor]:
        """The fit relative to the moved points, and the displacement of all points (N, 3).

        Args:
            fit: of the rows. embedding: (M, T) of the rows. rows: (M,) points.
            moved: (N, 3) displacement so far.
        """
        centre = of_fit(fit.centre)
        share = self.share(torch.cat([embedding, of_fit(fit.features)], dim=-1)).squeeze(-1).to(centre.dtype).sigmoid()
        height = share * centre.detach()
        offset = torch.zeros_like(moved).index_copy(0, rows, height.unsqueeze(-1) * fit.normal.detach())
        return replace(fit, centre=centre - height), moved + offset
