"""Full precision of geometric functions under autocast."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
T = TypeVar("T")


def full_precision(function: Callable[P, T]) -> Callable[P, T]:
    """The function without autocast, its half-precision arguments in float32.

    A matrix product in bfloat16 has 3 significant digits. That suffices for a perceptron, but a rotation rounded to it
    is no longer orthogonal, and equivariance is lost. Functions of rotations, positions and eigenvectors are marked;
    perceptrons are not.
    """

    @wraps(function)
    def exact(*args: P.args, **kwargs: P.kwargs) -> T:
        device = next((value.device.type for value in args if isinstance(value, Tensor)), "cpu")
        if not torch.is_autocast_enabled(device):
            return function(*args, **kwargs)
        with torch.autocast(device, enabled=False):
            return function(*map(_widened, args), **{key: _widened(value) for key, value in kwargs.items()})  # type: ignore[arg-type]

    return exact


def _widened(value: object) -> object:
    half = isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16)
    return value.float() if half else value  # type: ignore[attr-defined]
