"""Representations of hidden features by their width: tensor, irreducible or scalar messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from tensorframes.reps import IrrepBlock, Irreps, Representation, TensorReps


@runtime_checkable
class Messages(Protocol):
    """Maps a feature width to a representation of that dimension."""

    def reps(self, width: int, d: int = 3) -> Representation:
        """A representation of exactly ``width`` numbers in dimension d."""


def chosen_messages(messages: Messages | None) -> Messages:
    """The messages given; by default ``TensorMessages()``.

    Raises:
        ValueError: they are something else, such as a text or a class.
    """
    if messages is None:
        return TensorMessages()
    if isinstance(messages, type) or not isinstance(messages, Messages):
        raise ValueError(f"expected messages such as TensorMessages(), got {messages!r}")
    return messages


class TensorMessages:
    """Features that are scalars, vectors, matrices, ... in given shares (arXiv 2405.15389: "tensor messages").

    Args:
        shares: of the width for order 1, 2, ...; the rest are scalars. A width of 64 and (0.375, 0.25) give
            ``31x0 + 8x1 + 1x2``: 24 components of vectors and 9 of a matrix, since only whole tensors fit.
    """

    def __init__(self, shares: Sequence[float] = (0.375, 0.25)) -> None:
        self.shares = _checked(shares)

    def reps(self, width: int, d: int = 3) -> TensorReps:
        """A representation of exactly ``width`` numbers in dimension d."""
        muls = _copies(width, self.shares, [d ** (order + 1) for order in range(len(self.shares))])
        return TensorReps(" + ".join(f"{mul}x{order}" for order, mul in enumerate(muls)), d=d)


class IrrepMessages:
    """Features that are irreducible: scalars, vectors, symmetric traceless matrices, ... in given shares; d = 3 only.

    Args:
        shares: of the width for degree 1, 2, ...; the rest are scalars. All of natural parity (``0e``, ``1o``, ``2e``).
    """

    def __init__(self, shares: Sequence[float] = (0.375, 0.25)) -> None:
        self.shares = _checked(shares)

    def reps(self, width: int, d: int = 3) -> Irreps:
        """A representation of exactly ``width`` numbers."""
        if d != 3:
            raise ValueError(f"expected d=3 for irreducible representations, got d={d}")
        muls = _copies(width, self.shares, [2 * degree + 3 for degree in range(len(self.shares))])
        return Irreps([IrrepBlock(mul, degree, (-1) ** degree) for degree, mul in enumerate(muls)])


class ScalarMessages:
    """Features that are sent unchanged, whatever the frames, as in earlier local-frame methods."""

    def reps(self, width: int, d: int = 3) -> TensorReps:
        """``width`` scalars."""
        _check_width(width)
        return TensorReps(f"{width}x0", d=d)


def _checked(shares: Sequence[float]) -> tuple[float, ...]:
    given = tuple(shares) if isinstance(shares, Sequence) else (None,)
    if not all(isinstance(share, int | float) for share in given):
        raise ValueError(f"expected a share for each order from 1 on, such as (0.375, 0.25), got {shares!r}")
    if not (all(share >= 0 for share in given) and sum(given) <= 1):
        raise ValueError(f"expected shares of at least 0 that sum to at most 1, got {given}")
    return given


def _check_width(width: int) -> None:
    if isinstance(width, float) or width < 0:
        raise ValueError(f"expected a whole number of at least 0 as width, got {width}")


def _copies(width: int, shares: Sequence[float], sizes: Sequence[int]) -> list[int]:
    """The numbers of scalars and of copies of each further size in ``width`` numbers."""
    _check_width(width)
    muls, left = [], width
    for share, size in zip(shares, sizes, strict=True):
        muls.append(min(round(width * share), left) // size)
        left -= muls[-1] * size
    return [left, *muls]
