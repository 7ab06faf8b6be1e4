"""Probes: modules at which the features of a network can be read or replaced."""

from __future__ import annotations

from torch import Tensor, nn

from tensorframes.frames import Frames
from tensorframes.reps import Representation, representation


class Probe(nn.Module):
    """The identity on features; it holds their representation and takes their frames as an argument.

    Forward hooks on it read or replace features (``scoring.lie_derivative`` does both).

    Args:
        reps: of the features.
    """

    def __init__(self, reps: Representation | str) -> None:
        reps = representation(reps)
        super().__init__()
        self.reps = reps

    def forward(self, x: Tensor, frames: Frames) -> Tensor:
        """x (N, reps.dim), unchanged."""
        return x

    def extra_repr(self) -> str:
        return str(self.reps)
