"""Frames from vectors that a network predicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from tensorframes.frames.vector_frames import VectorFrames, axes_of
from tensorframes.frames.vectors import EquivariantVectors


class LearnedFrames(VectorFrames):
    r"""``VectorFrames`` of learned vectors (Lippmann et al., arXiv 2405.15389, section 4).

    Equivariant under O(d): in two passes for ``group="so"``, in one for ``group="o"``. See ``VectorFrames``, also
    for neighbourhoods that are flat or degenerate.

    Args:
        group: ``"so"`` or ``"o"``.
        hidden: width of the network that weights the edges.
        radial: functions of the radial encoding.
        d: dimension of space.
    """

    def __init__(self, group: Literal["so", "o"] = "so", hidden: int = 32, radial: int = 8, d: int = 3) -> None:
        super().__init__(EquivariantVectors(axes_of(group, d), hidden, radial), group, d)


class GravityFrames(VectorFrames):
    r"""Frames whose first axis is given, the same everywhere, for scans with a known vertical.

    The other axes are learned. Equivariant under translations, rotations about the axis, and the reflections that
    preserve it (in two passes with ``group="so"``, in one with ``group="o"``); not under other rotations. Where all
    neighbours lie along the axis, as on a thin pole, the second axis comes from a larger neighbourhood.

    Args:
        axis: of any length but zero; its number of entries is the dimension of space.
        group, hidden, radial: as in ``LearnedFrames``.
    """

    equivariant = False

    def __init__(
        self,
        axis: Sequence[float] = (0.0, 0.0, 1.0),
        group: Literal["so", "o"] = "so",
        hidden: int = 32,
        radial: int = 8,
    ) -> None:
        count = axes_of(group, len(axis)) - 1
        if count < 1:
            raise ValueError("expected an axis of at least 3 entries: in the plane it leaves nothing to learn")
        super().__init__(AxisAndVectors(axis, EquivariantVectors(count, hidden, radial)), group, len(axis))


class AxisAndVectors(nn.Module):
    """One vector that is given, then others."""

    def __init__(self, axis: Sequence[float], vectors: nn.Module) -> None:
        super().__init__()
        if not all(map(math.isfinite, axis)) or not any(axis):
            raise ValueError(f"expected a finite axis that is not zero, got {tuple(axis)}")
        largest = max(map(abs, axis))
        scaled = [each / largest for each in axis]
        self.axis = [each / math.hypot(*scaled) for each in scaled]
        self.vectors = vectors

    def forward(self, pos: Tensor, edge_index: Tensor, receivers: Tensor | None = None) -> Tensor:
        """Candidates (M, 1 + count, d)."""
        others: Tensor = self.vectors(pos, edge_index, receivers)
        first = pos.new_tensor(self.axis).expand(len(others), 1, -1)
        return torch.cat([first, others], dim=1)
