"""Frames of equivariant vectors: orthonormalised, with equivariant fallbacks where that fails."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from tensorframes.errors import UserError
from tensorframes.frames.finder import FrameFinder, check_batch_rows, check_floating
from tensorframes.frames.frames import Frames
from tensorframes.frames.orthonormalise import complete_frames, last_axis
from tensorframes.frames.vectors import cloud_vectors
from tensorframes.geometry import knn
from tensorframes.geometry.checks import check_edges
from tensorframes.parallel import one_thread
from tensorframes.reps import full_precision

WIDER = 4  # the wider neighbourhood holds this many times the neighbours


class VectorFrames(FrameFinder):
    r"""Frames by Gram-Schmidt from each neighbourhood's vectors (Lippmann et al., arXiv 2405.15389, section 4).

    ``group="so"``: d - 1 axes from vectors, the last one their generalised cross product. Under a rotation
    :math:`R_i \to R_i g^T`, under a reflection :math:`R_i \to S R_i g^T` with S = diag(1, ..., 1, -1): the two passes
    R_i and S R_i (``Frames.mirrored``) together are O(d)-equivariant. A flat neighbourhood carries such a frame.

    ``group="o"``: d axes from vectors; :math:`R_i \to R_i g^T` for every g in O(d), in one pass. A flat neighbourhood
    (in a hyperplane) carries no such frame, because it is its own mirror image. There the last axis comes from a larger
    neighbourhood.

    Where the vectors are degenerate (orthogonal part below 1e-3 of their neighbourhood's scale) the missing axes come,
    in this order, from the same rule over four times the neighbours, from the whole cloud's moments, from the world's
    axes. Only the last is not equivariant; ``Frames.fallback`` holds which rule each frame comes from. A coarse level
    may be a line where the cloud is not: it takes missing axes from the finest level's frames instead.

    Args:
        vectors: (pos (N, d), edge_index (2, E), receivers (M, d) or None for pos) -> candidates (M, C, d) in order of
            preference, a length of 1 being large; equivariant.
        group: ``"so"`` or ``"o"``.
        d: dimension of space.
    """

    equivariant = True
    per_level = True

    def __init__(self, vectors: nn.Module, group: Literal["so", "o"] = "so", d: int = 3) -> None:
        super().__init__()
        self.axes = axes_of(group, d)
        self.group, self.d, self.vectors = group, d, vectors
        self.mirrors = group == "so"

    @full_precision
    def forward(
        self, pos: Tensor, edge_index: Tensor, batch: Tensor | None = None, finest: Frames | None = None
    ) -> Frames:
        """Frames of points pos (N, d) from their neighbours along edge_index (2, E), row 0 sending to row 1.

        ``finest``: for points of a coarser level, their frames at the finest one.
        """
        if pos.shape[-1] != self.d:
            raise ValueError(f"expected positions (N, {self.d}), got shape {tuple(pos.shape)}")
        check_floating(pos)
        check_edges(edge_index, len(pos), len(pos))
        check_batch_rows(batch, pos)
        vectors = self._candidates(pos, edge_index, None)
        axes, picks = complete_frames(vectors, self.axes)
        failed = (picks == vectors.shape[1]).any(-1).nonzero().squeeze(-1)
        fallback = torch.zeros(len(pos), dtype=torch.uint8, device=pos.device)
        if len(failed):
            with one_thread(pos.device):
                spare_axes, steps = self._fall_back(pos, edge_index, batch, failed, finest)
            axes = axes.index_copy(0, failed, spare_axes)
            fallback[failed] = steps
        if self.group == "so":
            axes = torch.cat([axes, last_axis(axes).unsqueeze(1)], dim=1)
        return Frames(axes, fallback)

    def _candidates(self, pos: Tensor, edge_index: Tensor, receivers: Tensor | None) -> Tensor:
        """The vectors (M, C, d) of the receivers (M, d), None for pos.

        Raises:
            UserError: something else is returned.
        """
        given = (pos, edge_index) if receivers is None else (pos, edge_index, receivers)
        vectors: object = self.vectors(*given)
        count = pos.shape[0] if receivers is None else receivers.shape[0]
        shape = tuple(vectors.shape) if isinstance(vectors, Tensor) else ()
        if not isinstance(vectors, Tensor) or len(shape) != 3 or (shape[0], shape[2]) != (count, self.d):
            got = f"shape {shape}" if isinstance(vectors, Tensor) else type(vectors).__name__
            name = type(self.vectors).__name__
            raise UserError(f"expected vectors ({count}, C, {self.d}) from {name}.forward, got {got}")
        return vectors

    def _fall_back(
        self, pos: Tensor, edge_index: Tensor, batch: Tensor | None, rows: Tensor, finest: Frames | None
    ) -> tuple[Tensor, Tensor]:
        """Axes (M, axes, d) of the failed rows, and the step that completed each (M,)."""
        batch = torch.zeros(len(pos), dtype=torch.long, device=pos.device) if batch is None else batch
        degree = int(torch.bincount(edge_index[1], minlength=1).max()) if edge_index.numel() else 0
        larger = knn(pos, WIDER * degree + 1, query=pos[rows], batch=batch, query_batch=batch[rows])
        target = torch.arange(len(rows), device=pos.device).repeat_interleave(larger.shape[1])
        failed = torch.zeros(len(pos), dtype=torch.bool, device=pos.device).index_fill(0, rows, True)
        own = edge_index[:, failed.index_select(0, edge_index[1])]
        place = torch.searchsorted(rows, own[1])
        candidates = [
            self._candidates(pos, torch.stack([own[0], place]), pos[rows]),
            self._candidates(pos, torch.stack([larger.flatten(), target]), pos[rows]),
        ]
        if finest is None:
            candidates.append(cloud_vectors(pos, batch, rows))
            candidates.append(torch.eye(self.d, dtype=pos.dtype, device=pos.device).expand(len(rows), -1, -1))
        else:
            candidates.append(finest.matrices[rows, : self.axes])
        axes, picks = complete_frames(torch.cat(candidates, dim=1), self.axes)
        counts = torch.tensor([c.shape[1] for c in candidates], device=pos.device)
        steps = torch.bucketize(picks.amax(-1), counts.cumsum(0), right=True).to(torch.uint8)
        if finest is not None and finest.fallback is not None:
            steps = torch.where(steps == 2, finest.fallback[rows].clamp_min(1), steps)
        return axes, steps


def axes_of(group: str, d: int) -> int:
    """How many axes come from vectors."""
    if group not in ("so", "o"):
        raise ValueError(f'expected group "so" or "o", got {group!r}')
    return d - 1 if group == "so" else d
