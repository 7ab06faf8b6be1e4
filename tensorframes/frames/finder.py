"""The interface of everything that finds frames."""

from __future__ import annotations

from torch import Tensor, nn

from tensorframes.frames.frames import Frames


class FrameFinder(nn.Module):
    """Finds a frame per point from positions and a graph.

    Attributes:
        mirrors: whether a reflection of the cloud mirrors the frames, to S R_i g^T in place of R_i g^T. Then exact
            O(d)-equivariance takes two passes, with R_i and with S R_i.
        equivariant: whether the frames are exactly O(d)-equivariant, in two passes where ``mirrors``.
        per_level: whether coarse levels of a hierarchy find frames of their own; otherwise they inherit each point's.
    """

    mirrors: bool = False
    equivariant: bool = False
    per_level: bool = False

    def forward(
        self, pos: Tensor, edge_index: Tensor, batch: Tensor | None = None, finest: Frames | None = None
    ) -> Frames:
        """Frames of points pos (N, d) from the graph edge_index (2, E), row 0 sending to row 1.

        ``finest``: for points of a coarse level, their frames at the finest one; passed where ``per_level``.
        """
        raise NotImplementedError


def check_batch_rows(batch: Tensor | None, pos: Tensor) -> None:
    """Raise ValueError unless ``batch`` has an entry for each point."""
    if batch is not None and batch.shape != pos.shape[:1]:
        raise ValueError(f"expected batch of shape ({len(pos)},), got {tuple(batch.shape)}")


def check_floating(pos: Tensor) -> None:
    """Raise ValueError unless positions are floating point numbers: frames of whole ones would be rounded."""
    if not pos.is_floating_point():
        raise ValueError(f"expected floating point positions, got {pos.dtype}")
