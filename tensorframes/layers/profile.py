"""What points know of the whole cloud that they belong to."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tensorframes.geometry import PROFILE, Hierarchy
from tensorframes.layers.mlp import silu


class KnownProfile(nn.Module):
    """What a cloud's profile (``geometry.thickness_profile``) adds to what is known of each of its points: invariants,
    the same for all of them; nothing to begin with.

    Args:
        width: numbers known of each point. hidden: width of the network.
    """

    def __init__(self, width: int, hidden: int = 32) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(PROFILE, hidden), silu(), nn.Linear(hidden, width))
        with torch.no_grad():
            for parameter in self.net[-1].parameters():
                parameter.zero_()

    def forward(self, hierarchy: Hierarchy, batch: Tensor) -> Tensor:
        """(N, width) for points of the clouds batch (N,).

        Raises:
            ValueError: the profile was not measured.
        """
        if hierarchy.profile is None:
            raise ValueError("expected a hierarchy with the profile of each cloud, got one without")
        out: Tensor = self.net(hierarchy.profile)
        return out.index_select(0, batch)
