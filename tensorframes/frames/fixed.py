"""Fixed and random frames: baselines of learned ones (Lippmann et al., arXiv 2405.15389, section 5)."""

from __future__ import annotations

import torch
from torch import Tensor

from tensorframes.frames.finder import FrameFinder, check_batch_rows, check_floating
from tensorframes.frames.frames import Frames


class IdentityFrames(FrameFinder):
    """R_i = 1: the ordinary network. Equivariant to translations alone."""

    def forward(
        self, pos: Tensor, edge_index: Tensor, batch: Tensor | None = None, finest: Frames | None = None
    ) -> Frames:
        """Frames (N, d, d) of points pos (N, d)."""
        check_floating(pos)
        return Frames.identity(len(pos), pos.shape[-1], like=pos)


class RandomGlobalFrames(FrameFinder):
    """One random R in O(d) per cloud, sampled anew at each call: exactly training with O(d) augmentation.

    In evaluation mode the draw is the same at each call. Equivariant in distribution only.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def forward(
        self, pos: Tensor, edge_index: Tensor, batch: Tensor | None = None, finest: Frames | None = None
    ) -> Frames:
        """Frames (N, d, d) of points pos (N, d), the same for all points of a cloud."""
        check_floating(pos)
        check_batch_rows(batch, pos)
        if batch is None:
            return Frames(_draw(1, pos, self.training, self.seed).expand(len(pos), -1, -1))
        clouds = int(batch.max()) + 1 if len(batch) else 0
        return Frames(_draw(clouds, pos, self.training, self.seed).index_select(0, batch))


class RandomLocalFrames(FrameFinder):
    """A random R_i in O(d) per point, sampled anew at each call (in evaluation mode the same at each call).

    The baseline of tensor messages without good frames. Equivariant in distribution only.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def forward(
        self, pos: Tensor, edge_index: Tensor, batch: Tensor | None = None, finest: Frames | None = None
    ) -> Frames:
        """Frames (N, d, d) of points pos (N, d)."""
        check_floating(pos)
        return Frames(_draw(len(pos), pos, self.training, self.seed))


def haar(count: int, d: int, generator: torch.Generator | None = None) -> Tensor:
    """Haar-distributed orthogonal matrices (count, d, d), float64, on the CPU.

    From the QR decomposition of a Gaussian matrix with R's diagonal made positive (Mezzadri 2007, section 5).
    """
    q, r = torch.linalg.qr(torch.randn(count, d, d, dtype=torch.float64, generator=generator, device="cpu"))
    return q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)


def _draw(count: int, like: Tensor, training: bool, seed: int) -> Tensor:
    """Random matrices (count, d, d) for points ``like`` (N, d); the same at each call in evaluation mode.

    In training the processes of a run draw others each, although they have equal random number generators.
    """
    if training:
        group = torch.distributed
        rank = group.get_rank() if group.is_available() and group.is_initialized() else 0
        seed = int(torch.randint(2**62, (), device="cpu")) + rank
    return haar(count, like.shape[-1], torch.Generator().manual_seed(seed)).to(like)
