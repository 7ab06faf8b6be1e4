"""Direct sums of Cartesian tensor representations of O(d), as immutable values that hold no data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from numbers import Integral
from typing import NamedTuple

from torch import Tensor

from tensorframes.reps.direct_sum import DirectSum, blocks_of
from tensorframes.reps.rotate import transform_tensors

TERM = re.compile(r"^(?:(\d+)\s*x\s*)?(\d+)(p?)$")


class TensorBlock(NamedTuple):
    """``mul`` tensors of one order; a pseudo-tensor takes one more factor det(g)."""

    mul: int
    order: int
    pseudo: bool = False

    def __str__(self) -> str:
        return f"{self.mul}x{self.order}{'p' if self.pseudo else ''}"


class TensorReps(DirectSum[TensorBlock]):
    r"""A direct sum of Cartesian tensor representations of O(d) (Lippmann et al., arXiv 2405.15389, section 3).

    A tensor of order r has :math:`d^r` components and transforms with one factor g per index,

    .. math:: (\rho(g) T)_{a_1 \dots a_r} = \det(g)^{p} \sum_{b} g_{a_1 b_1} \cdots g_{a_r b_r} T_{b_1 \dots b_r},

    p = 1 for a pseudo-tensor, else 0. In e3nn's notation ``1`` is ``1o``, ``1p`` is ``1e``, ``0p`` is ``0o``.

    Args:
        spec: ``"32x0 + 16x1 + 4x2 + 2x1p"``: 32 scalars, 16 vectors, 4 matrices, 2 pseudo-vectors; or the blocks
            themselves. The order of the blocks is preserved (``sorted`` gives the canonical one).
        d: dimension of space, at least 2.

    A feature is a row of ``dim`` numbers: the blocks one after the other, each laid out as (mul, d, ..., d).

    Raises:
        ValueError: the text or the blocks are not such a sum, or d < 2.
    """

    __slots__ = ()

    def __init__(self, spec: str | Iterable[TensorBlock] | TensorReps, d: int = 3) -> None:
        dimension: object = d
        if not isinstance(dimension, Integral) or dimension < 2:
            raise ValueError(f"expected a space of dimension d >= 2, got d={d!r}")
        if isinstance(spec, TensorReps):
            if spec.d != d:
                raise ValueError(f"expected representations of dimension d={d}, got d={spec.d}")
            blocks = spec.blocks
        elif isinstance(spec, str):
            blocks = _parse(spec)
        elif isinstance(spec, DirectSum):
            raise ValueError(f"expected a sum of Cartesian tensors, got {spec!r}")
        else:
            blocks = blocks_of(spec, TensorBlock, 'a text like "4x0 + 2x1" or blocks (mul, order, pseudo)')
            for block in blocks:
                if min(block.mul, block.order) < 0:
                    raise ValueError(f"expected blocks with mul >= 0 and order >= 0, got {block!r}")
        super().__init__(blocks, d)

    def copy_shape(self, block: TensorBlock) -> tuple[int, ...]:
        """(d, ..., d), one for each index."""
        return (self.d,) * block.order

    @property
    def max_order(self) -> int:
        """The highest order present (0 for the empty sum)."""
        return max((block.order for block in self.blocks), default=0)

    @property
    def is_invariant(self) -> bool:
        """Whether every g leaves every feature unchanged: true scalars only."""
        return all(block.order == 0 and not block.pseudo for block in self.blocks)

    def transform(self, x: Tensor, g: Tensor) -> Tensor:
        """rho(g) x. Shapes: x ``(*lead, ..., dim)``, g ``(*lead, d, d)``, orthogonal matrices; returns x's shape."""
        self.check(x)
        if g.dim() and g.shape[-1] != self.d:
            raise ValueError(f"expected matrices of dimension d={self.d}, that of {self!r}, got d={g.shape[-1]}")
        return transform_tensors(self.blocks, x, g)

    def sorted(self) -> TensorReps:
        """The canonical order: by order of the tensor, plain before pseudo, equal kinds merged."""
        kinds = sorted({(block.order, block.pseudo) for block in self.blocks})
        return TensorReps(
            [TensorBlock(self.count(order, pseudo), order, pseudo) for order, pseudo in kinds],
            d=self.d,
        )

    def count(self, order: int, pseudo: bool = False) -> int:
        """How many tensors of one kind a feature holds."""
        return sum(block.mul for block in self.blocks if (block.order, block.pseudo) == (order, pseudo))

    def __add__(self, other: TensorReps | str) -> TensorReps:
        other = TensorReps(other, d=self.d)
        return TensorReps(self.blocks + other.blocks, d=self.d)

    def __mul__(self, times: int) -> TensorReps:
        return TensorReps(self.blocks * times, d=self.d)

    __rmul__ = __mul__

    def __reduce__(self) -> tuple[type[TensorReps], tuple[str, int]]:
        return TensorReps, (str(self), self.d)

    def __repr__(self) -> str:
        return f"TensorReps({str(self)!r}, d={self.d})"


def _parse(text: str) -> tuple[TensorBlock, ...]:
    if not text.strip():
        return ()
    blocks = []
    for term in text.split("+"):
        match = TERM.match(term.strip())
        if match is None:
            raise ValueError(f'expected a sum like "32x0 + 16x1 + 2x1p" (mul x order, p for pseudo), got {text!r}')
        blocks.append(TensorBlock(int(match[1] or 1), int(match[2]), bool(match[3])))
    return tuple(blocks)
