"""Frames: one orthonormal basis per point, and what it does to features."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import GetAttrKey, KeyEntry, register_pytree_node

from tensorframes.errors import UserError
from tensorframes.geometry.checks import check_rows
from tensorframes.reps import Representation, full_precision, representation

SKEW = 1e-2
"""Largest entry of R R^T - 1 of matrices that rounding, in any precision, made of orthogonal ones."""


class Frames:
    r"""Local frames of N points.

    Row a of ``matrices[i]`` is the a-th axis of point i, so that :math:`x_{local} = R_i\, x_{world}`. Under a global
    transformation g of the cloud, :math:`R_i \to R_i g^T`, and coordinates in the frame are invariant.

    Args:
        matrices: (N, d, d) orthogonal matrices.
        fallback: (N,) uint8, where each frame came from: 0 its own neighbourhood, 1 a wider one, 2 the whole cloud,
            3 the world's axes (reproducible, not equivariant). None means all 0.

    They are a node of PyTorch's trees of tensors, so that ``torch.export`` takes them as an input.

    Raises:
        ValueError: the shapes are others, or the matrices are not orthogonal (seen on a CPU, eagerly).
    """

    def __init__(self, matrices: Tensor, fallback: Tensor | None = None) -> None:
        if not isinstance(matrices, Tensor):
            raise ValueError(f"expected frames (N, d, d) as a tensor, got {type(matrices).__name__}")
        if matrices.dim() != 3 or matrices.shape[-1] != matrices.shape[-2]:
            raise ValueError(f"expected frames (N, d, d), got shape {tuple(matrices.shape)}")
        if fallback is not None and fallback.shape != matrices.shape[:1]:
            raise ValueError(f"expected fallback of shape ({matrices.shape[0]},), got {tuple(fallback.shape)}")
        _check_orthogonal(matrices.detach())
        self.matrices = matrices
        self.fallback = fallback

    @classmethod
    def identity(cls, count: int, d: int = 3, like: Tensor | None = None) -> Frames:
        """``count`` frames that are the world's axes, of the dtype and device of ``like``."""
        dtype, device = (like.dtype, like.device) if like is not None else (None, None)
        return cls(torch.eye(d, dtype=dtype, device=device).expand(count, d, d))

    def __len__(self) -> int:
        return self.matrices.shape[0]

    @property
    def points(self) -> int:
        """N, as ``len``; in an exported program of any N it remains a symbol, which ``len`` cannot return."""
        return self.matrices.shape[0]

    @property
    def d(self) -> int:
        """Dimension of space."""
        return self.matrices.shape[-1]

    def to(self, *args: Any, **kwargs: Any) -> Frames:
        """The frames on another device, or in another precision; arguments as in ``torch.Tensor.to``."""
        matrices = self.matrices.to(*args, **kwargs)
        return _of_parts([matrices, None if self.fallback is None else self.fallback.to(matrices.device)])

    def to_local(self, x: Tensor, reps: Representation | str) -> Tensor:
        """rho(R_i) x_i: features (N, ..., dim) from the world into each point's own frame."""
        check_rows(x, self.points, "features")
        return self._reps(reps).transform(x, self.matrices)

    def to_world(self, x: Tensor, reps: Representation | str) -> Tensor:
        """rho(R_i^T) x_i: features (N, ..., dim) from each point's own frame into the world."""
        check_rows(x, self.points, "features")
        return self._reps(reps).transform(x, self.matrices.transpose(-1, -2))

    def _reps(self, reps: Representation | str) -> Representation:
        return representation(reps, d=self.d) if isinstance(reps, str) else reps

    def transition(self, edge_index: Tensor, senders: Frames | None = None) -> Tensor:
        """R_i R_j^T for each edge j -> i: (E, d, d), from the sender's frame into the receiver's (these frames)."""
        source = (senders or self).matrices.index_select(0, edge_index[0])
        return _product(self.matrices.index_select(0, edge_index[1]), source.transpose(-1, -2))

    def index_select(self, rows: Tensor) -> Frames:
        """The frames of some points."""
        fallback = None if self.fallback is None else self.fallback.index_select(0, rows)
        return _of_parts([self.matrices.index_select(0, rows), fallback])

    def consecutive(self, rows: slice) -> Frames:
        """The frames of consecutive points, not copied; ``fallback`` is left out."""
        return _of_parts([self.matrices[rows]])

    def turned(self, turn: Tensor) -> Frames:
        """U_i R_i, for orthogonal turn (N, d, d), given in each point's own frame."""
        return Frames(_product(turn, self.matrices), self.fallback)

    def mirrored(self) -> Frames:
        r"""S R_i with S = diag(1, ..., 1, -1): the last axis reversed, what a reflection makes of an SO(d) frame."""
        sign = torch.ones(self.d, dtype=self.matrices.dtype, device=self.matrices.device)
        sign[-1] = -1
        return _of_parts([self.matrices * sign.unsqueeze(-1), self.fallback])

    def __repr__(self) -> str:
        return f"Frames({len(self)} points, d={self.d})"


@full_precision
def _product(a: Tensor, b: Tensor) -> Tensor:
    return a @ b


def _check_orthogonal(matrices: Tensor) -> None:
    """Raise UserError unless R R^T is 1 up to SKEW for matrices R (N, d, d); only where values can be read."""
    traced = torch.compiler.is_compiling() or torch.jit.is_tracing()
    if traced or matrices.device.type != "cpu" or matrices.numel() == 0:
        return
    product = _product(matrices, matrices.transpose(-1, -2))
    error = (product - torch.eye(matrices.shape[-1], dtype=product.dtype, device=product.device)).abs().amax()
    try:
        largest = float(error)
    except RuntimeError:  # within vmap, or traced by other means
        return
    if not largest <= SKEW:
        raise UserError(f"expected frames R with orthonormal rows, got |R R^T - 1| = {largest:.2g}")


def _parts(frames: Frames) -> tuple[list[Tensor], None]:
    """The tensors of frames."""
    return [frames.matrices] if frames.fallback is None else [frames.matrices, frames.fallback], None


def _named_parts(frames: Frames) -> tuple[list[tuple[KeyEntry, Any]], None]:
    """The same with their names."""
    return list(zip(map(GetAttrKey, ("matrices", "fallback")), _parts(frames)[0], strict=False)), None


def _of_parts(parts: Iterable[Any], _: None = None) -> Frames:
    """Frames of what a function made of their tensors, which may be anything: nothing is checked."""
    frames = Frames.__new__(Frames)
    frames.matrices, frames.fallback = [*parts, None][:2]
    return frames


register_pytree_node(
    Frames,
    _parts,
    _of_parts,
    serialized_type_name="tensorframes.frames.Frames",
    flatten_with_keys_fn=_named_parts,
)
