"""Perceptrons on local features; in a local frame any of them is equivariant."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn


class MLP(nn.Module):
    """Linear layers with an activation between them; a LayerNorm comes first if asked for.

    Args:
        widths: of the input, the hidden layers and the output, at least two.
        norm: normalise the input.
        activation: between the linear layers; also after the last one if ``last_activation``.
    """

    def __init__(
        self,
        widths: Sequence[int],
        norm: bool = False,
        activation: type[nn.Module] = nn.SiLU,
        last_activation: bool = False,
    ) -> None:
        super().__init__()
        if len(widths) < 2:
            raise ValueError(f"expected at least two widths, got {tuple(widths)}")
        layers: list[nn.Module] = [nn.LayerNorm(widths[0])] if norm else []
        for narrow, wide in pairwise(widths):
            layers += [nn.Linear(narrow, wide), activation()]
        self.layers = nn.Sequential(*(layers if last_activation else layers[:-1]))

    def forward(self, x: Tensor) -> Tensor:
        """From (..., widths[0]) to (..., widths[-1])."""
        out: Tensor = self.layers(x)
        return out
