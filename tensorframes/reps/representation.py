"""The interface of all representations, and their parsing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, Self, runtime_checkable

from torch import Tensor

from tensorframes.reps.irreps import Irreps
from tensorframes.reps.tensor_reps import TensorReps


@runtime_checkable
class Representation(Protocol):
    """How a feature transforms; a value without data. Implemented by ``TensorReps`` and ``Irreps``."""

    @property
    def d(self) -> int:
        """Dimension of space."""

    @property
    def dim(self) -> int:
        """Dimension of one feature."""

    @property
    def is_invariant(self) -> bool:
        """Whether every g leaves every feature as it is."""

    def transform(self, x: Tensor, g: Tensor) -> Tensor:
        """rho(g) x. Shapes: x ``(*lead, ..., dim)``, g ``(*lead, d, d)``, orthogonal."""

    def split(self, x: Tensor) -> list[Tensor]:
        """The blocks of features x (..., dim), each as ``(..., mul, *copy_shape)``."""

    def slices(self) -> list[slice]:
        """Where each block lies in a feature's row."""

    def sorted(self) -> Self:
        """The canonical order, equal kinds merged."""

    def check(self, x: Tensor) -> None:
        """Raise ValueError unless the last dimension of x is ``dim``."""

    def __iter__(self) -> Iterator[Any]:
        """Its blocks."""


def representation(spec: str | Representation, d: int | None = None) -> Representation:
    """A representation from its text: ``"2x0 + 1x1"`` is TensorReps, ``"2x0e + 1x1o"`` Irreps; others are passed on.

    Args:
        spec: the text, or the representation.
        d: dimension of space. None means 3 for a text, and that of the representation otherwise.

    Raises:
        ValueError: ``spec`` is neither, or its dimension is not d.
    """
    if not isinstance(spec, str):
        if not isinstance(spec, Representation):
            raise ValueError(f"expected a representation or its text, got {spec!r} of type {type(spec).__name__}")
        if d is not None and spec.d != d:
            raise ValueError(f"expected representations of dimension d={d}, got d={spec.d}")
        return spec
    d = 3 if d is None else d
    try:
        return TensorReps(spec, d=d)
    except ValueError as first:
        if d != 3:
            raise
        try:
            return Irreps(spec)
        except ValueError:
            raise first from None
