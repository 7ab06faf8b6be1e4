"""Perceptrons; on features in local frames any of them is equivariant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

Norm = Literal["layer", "batch"]


def silu() -> nn.Module:
    """The activation x / (1 + exp(-x)) (Hendrycks and Gimpel 2016, arXiv 1606.08415), in place: on a CPU allocating
    new memory takes longer than the function itself."""
    return nn.SiLU(inplace=True)


class MLP(nn.Module):
    """Linear layers with an activation between them, optionally with a norm of the input.

    Args:
        widths: of the input, the hidden layers and the output, at least two.
        norm: of the input: ``"layer"`` (Ba et al. 2016), over each row; ``"batch"`` (Ioffe and Szegedy 2015), as in
            many published networks: in training mode a row then depends on the others of its batch. None: no norm.
        activation: between the linear layers; also after the last one if ``last_activation``.

    Raises:
        ValueError: fewer than two widths, one below 1 (but for the input's, which may be 0), or an unknown norm.
    """

    def __init__(
        self,
        widths: Sequence[int],
        norm: Norm | None = None,
        activation: Callable[[], nn.Module] = silu,
        last_activation: bool = False,
    ) -> None:
        super().__init__()
        if len(widths) < 2:
            raise ValueError(f"expected at least two widths, got {tuple(widths)}")
        if min(widths[1:]) < 1:
            raise ValueError(f"expected widths of at least 1, got {tuple(widths)}")
        layers: list[nn.Module] = [] if norm is None else [made_norm(norm, widths[0])]
        for width_in, width_out in pairwise(widths):
            layers += [nn.Linear(width_in, width_out), activation()]
        self.layers = nn.Sequential(*(layers if last_activation else layers[:-1]))

    def forward(self, x: Tensor) -> Tensor:
        """From (..., widths[0]) to (..., widths[-1]); with ``norm="batch"`` from two dimensions."""
        out: Tensor = self.layers(x)
        return out


def check_widths(widths: Sequence[int], *others: int) -> None:
    """Raise ValueError unless there is a width, and all are at least 1."""
    given: object = widths
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ValueError(f"expected a sequence of widths, got {given!r}")
    if not widths:
        raise ValueError("expected at least one width, got none")
    if min(*widths, *others, 1) < 1:
        raise ValueError(f"expected widths of at least 1, got {[*widths, *others]}")


def made_norm(name: Norm, width: int) -> nn.Module:
    """The norm of that name over ``width`` numbers. Raises ValueError for an unknown name."""
    if name not in ("layer", "batch"):
        raise ValueError(f'expected norm to be "layer" or "batch", got {name!r}')
    return nn.LayerNorm(width) if name == "layer" else nn.BatchNorm1d(width)
