"""What everything that finds frames has in common."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from tensorframes.frames.frames import Frames


class FrameFinder(Protocol):
    """From positions and a graph to a frame per point.

    Attributes:
        mirrors: whether a reflection of the cloud mirrors the frames (S R_i g^T instead of R_i g^T), so that exact
            O(d)-equivariance takes two passes, with R_i and with S R_i.
        per_level: whether coarser levels of a hierarchy find frames of their own; otherwise they inherit each point's.
    """

    mirrors: bool
    per_level: bool

    def __call__(self, pos: Tensor, edge_index: Tensor, batch: Tensor | None = None) -> Frames:
        """Frames of points pos (N, d) from the graph edge_index (2, E), row 0 sending to row 1.

        A finder with ``per_level`` also takes ``finest``, the frames of the same points at the finest level.
        """
