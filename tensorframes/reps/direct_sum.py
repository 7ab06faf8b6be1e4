"""Direct sums of representations: blocks one after the other in a feature's row."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from numbers import Integral
from typing import Any, Generic, Protocol, TypeVar

from torch import Tensor


class Block(Protocol):
    """``mul`` copies of one representation."""

    @property
    def mul(self) -> int:
        """The number of copies."""


B = TypeVar("B", bound=Block)


class DirectSum(Generic[B]):
    """An immutable sequence of blocks that holds no data. A subclass defines the shape of one copy.

    A feature is a row of ``dim`` numbers: the blocks one after the other, each laid out as ``(mul, *copy_shape)``.
    """

    __slots__ = ("blocks", "d")
    blocks: tuple[B, ...]
    d: int

    def __init__(self, blocks: Iterable[B], d: int) -> None:
        object.__setattr__(self, "blocks", tuple(block for block in blocks if block.mul > 0))
        object.__setattr__(self, "d", d)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is a value: {name} cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is a value: {name} cannot be deleted")

    def copy_shape(self, block: B) -> tuple[int, ...]:
        """The shape of one copy."""
        raise NotImplementedError

    @property
    def dim(self) -> int:
        """Dimension of one feature: the sum over the blocks of mul times the dimension of one copy."""
        return sum([self.block_dim(block) for block in self.blocks])

    @property
    def channels(self) -> int:
        """Number of copies in one feature: the sum of mul."""
        return sum([block.mul for block in self.blocks])

    def block_dim(self, block: B) -> int:
        """Dimension of one block: mul times that of one copy."""
        return block.mul * math.prod(self.copy_shape(block))

    def slices(self) -> list[slice]:
        """Where each block lies in a feature's row."""
        ends, start = [], 0
        for block in self.blocks:
            ends.append(slice(start, start + self.block_dim(block)))
            start = ends[-1].stop
        return ends

    def split(self, x: Tensor) -> list[Tensor]:
        """The blocks of features x (..., dim), each as ``(..., mul, *copy_shape)``."""
        self.check(x)
        return [
            x[..., part].reshape(*x.shape[:-1], block.mul, *self.copy_shape(block))
            for block, part in zip(self.blocks, self.slices(), strict=True)
        ]

    def check(self, x: Tensor) -> None:
        """Raise ValueError unless the last dimension of x is ``dim``."""
        if x.dim() == 0 or x.shape[-1] != self.dim:
            raise ValueError(f"expected features of {self.dim} numbers ({self}), got shape {tuple(x.shape)}")

    def __iter__(self) -> Iterator[B]:
        return iter(self.blocks)

    def __len__(self) -> int:
        return len(self.blocks)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and (self.blocks, self.d) == (other.blocks, other.d)

    def __hash__(self) -> int:
        return hash((self.blocks, self.d))

    def __str__(self) -> str:
        return " + ".join(str(block) for block in self.blocks)


def blocks_of(spec: Iterable[Iterable[Any]], kind: Callable[..., B], expected: str) -> tuple[B, ...]:
    """The blocks that a sequence holds.

    Raises:
        ValueError: it holds something else; ``expected`` says what it should be.
    """
    try:
        blocks: tuple[Any, ...] = tuple(kind(*block) for block in spec)
        whole = all(isinstance(value, Integral) for block in blocks for value in block)
    except TypeError:
        whole = False
    if not whole:
        raise ValueError(f"expected {expected}, got {spec!r} of type {type(spec).__name__}")
    return blocks
