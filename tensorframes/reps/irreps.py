"""Direct sums of irreducible representations of O(3), as immutable values that hold no data."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from tensorframes.reps.direct_sum import DirectSum, blocks_of
from tensorframes.reps.harmonics import coupling
from tensorframes.reps.precision import full_precision
from tensorframes.reps.rotate import determinant
from tensorframes.reps.wigner import wigner_matrices

TERM = re.compile(r"^(?:(\d+)\s*x\s*)?(\d+)([eo])$")


class IrrepBlock(NamedTuple):
    """``mul`` copies of the representation of one degree and parity (1: even, -1: odd)."""

    mul: int
    degree: int
    parity: int

    def __str__(self) -> str:
        return f"{self.mul}x{self.degree}{'e' if self.parity == 1 else 'o'}"

    @property
    def pseudo(self) -> bool:
        """Whether it takes one more factor det(g) than a Cartesian tensor of that order."""
        return self.parity != (-1) ** self.degree


class Irreps(DirectSum[IrrepBlock]):
    r"""A direct sum of irreducible representations of O(3), written as in e3nn (Geiger, Smidt 2022, arXiv 2207.09453).

    ``"32x0e + 16x1o + 4x2e"``: 32 scalars, 16 vectors, 4 symmetric traceless matrices. A block of degree l and parity p
    has mul (2l + 1) numbers, laid out as (mul, 2l + 1) in e3nn's basis, and transforms by

    .. math:: \rho(g) = (\det g)^{q}\, D_l(g), \qquad q = [p \ne (-1)^l],

    with :math:`D_l` of ``wigner_matrices``. In the notation of ``TensorReps`` ``1o`` is ``1``, ``1e`` is ``1p`` and
    ``0o`` is ``0p``.

    Args:
        spec: the text, or the blocks. Their order is preserved.

    Raises:
        ValueError: the text or the blocks are not such a sum.
    """

    __slots__ = ("couplings",)
    couplings: tuple[Tensor, ...]  # constants of the degrees from 2 on (``wigner_matrices``), shared by all

    def __init__(self, spec: str | Iterable[IrrepBlock] | Irreps) -> None:
        if isinstance(spec, str):
            blocks = _parse(spec)
        elif isinstance(spec, DirectSum) and not isinstance(spec, Irreps):
            raise ValueError(f"expected a sum of irreducible representations, got {spec!r}")
        else:
            blocks = blocks_of(spec, IrrepBlock, 'a text like "4x0e + 2x1o" or blocks (mul, degree, parity)')
            for block in blocks:
                if min(block.mul, block.degree) < 0 or block.parity not in (1, -1):
                    raise ValueError(f"expected blocks with mul >= 0, degree >= 0 and parity 1 or -1, got {block!r}")
        super().__init__(blocks, d=3)
        constants = tuple([coupling(1, degree - 1, degree) for degree in range(2, self.max_order + 1)])
        object.__setattr__(self, "couplings", constants)

    def copy_shape(self, block: IrrepBlock) -> tuple[int, ...]:
        """(2l + 1,)."""
        return (2 * block.degree + 1,)

    @property
    def max_order(self) -> int:
        """The highest degree present (0 for the empty sum)."""
        return max([block.degree for block in self.blocks], default=0)

    @property
    def is_invariant(self) -> bool:
        """Whether every g leaves every feature unchanged: ``0e`` only."""
        return all((block.degree, block.parity) == (0, 1) for block in self.blocks)

    @full_precision
    def transform(self, x: Tensor, g: Tensor) -> Tensor:
        """rho(g) x. Shapes: x ``(*lead, ..., dim)``, g ``(*lead, 3, 3)``, orthogonal matrices; returns x's shape."""
        lead = g.shape[:-2]
        if g.shape[-2:] != (3, 3) or x.shape[: len(lead)] != lead:
            raise ValueError(
                f"expected matrices (*lead, 3, 3) for features (*lead, ..., dim), got {g.shape}, {x.shape}"
            )
        blocks = self.split(x)
        if self.is_invariant:
            return x
        if x.dtype != g.dtype:
            raise ValueError(f"expected features and frames of one dtype, got {x.dtype} and {g.dtype}")
        plain = type(g) is Tensor and not torch.compiler.is_compiling()  # no stand-in of a program that is recorded
        matrices = wigner_matrices(self.max_order, g, None if plain else self.couplings)
        sign = determinant(g) if any(block.pseudo for block in self.blocks) else g
        parts = []
        for block, part in zip(self.blocks, blocks, strict=True):
            if block.degree:
                d_l = matrices[block.degree]
                rows = part.reshape(*lead, math.prod(part.shape[len(lead) : -1]), 2 * block.degree + 1)
                part = (rows @ d_l.transpose(-1, -2)).reshape(part.shape)
            if block.pseudo:
                part = part * sign.reshape(*lead, *(1,) * (part.dim() - len(lead)))
            parts.append(part.flatten(-2))
        return torch.cat(parts, dim=-1)

    def sorted(self) -> Irreps:
        """The canonical order: by degree, natural parity first (0e, 0o, 1o, 1e, 2e, ...), equal kinds merged."""
        kinds = sorted({(b.degree, b.pseudo, b.parity) for b in self.blocks})
        return Irreps([IrrepBlock(self.count(degree, parity), degree, parity) for degree, _, parity in kinds])

    def count(self, degree: int, parity: int) -> int:
        """How many copies of one kind a feature holds."""
        return sum(block.mul for block in self.blocks if (block.degree, block.parity) == (degree, parity))

    def __add__(self, other: Irreps | str) -> Irreps:
        return Irreps(self.blocks + Irreps(other).blocks)

    def __mul__(self, times: int) -> Irreps:
        return Irreps(self.blocks * times)

    __rmul__ = __mul__

    def __reduce__(self) -> tuple[type[Irreps], tuple[str]]:
        return Irreps, (str(self),)

    def __repr__(self) -> str:
        return f"Irreps({str(self)!r})"


def _parse(text: str) -> tuple[IrrepBlock, ...]:
    if not text.strip():
        return ()
    blocks = []
    for term in text.split("+"):
        match = TERM.match(term.strip())
        if match is None:
            raise ValueError(f'expected a sum like "32x0e + 16x1o" (mul x degree, e even, o odd), got {text!r}')
        blocks.append(IrrepBlock(int(match[1] or 1), int(match[2]), 1 if match[3] == "e" else -1))
    return tuple(blocks)
