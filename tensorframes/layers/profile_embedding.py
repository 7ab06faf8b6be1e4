"""An embedding of the surface-variation profile of a whole cloud."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tensorframes.geometry import PROFILE_SIZE
from tensorframes.layers.mlp import silu


class ProfileEmbedding(nn.Module):
    """A perceptron of the cloud's profile (``geometry.variation_profile``): invariants, the same for all points of a
    cloud. Zero at initialisation.

    Args:
        width: of the embedding. hidden: width of the perceptron.
    """

    def __init__(self, width: int, hidden: int = 32) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(PROFILE_SIZE, hidden), silu(), nn.Linear(hidden, width))
        with torch.no_grad():
            for parameter in self.net[-1].parameters():
                parameter.zero_()

    def forward(self, profile: Tensor | None, batch: Tensor) -> Tensor:
        """(N, width) from profiles (B, PROFILE_SIZE), for points of the clouds batch (N,).

        Raises:
            ValueError: there is no profile.
        """
        if profile is None:
            raise ValueError("expected a geometry with the profile of each cloud, got one without")
        out: Tensor = self.net(profile)
        return out.index_select(0, batch)
