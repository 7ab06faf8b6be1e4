"""Full precision of geometric functions under autocast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

DEVICES = ("cpu", "cuda", "xpu", "mps")  # autocast is a setting of each

P = ParamSpec("P")
T = TypeVar("T")


def full_precision(function: Callable[P, T]) -> Callable[P, T]:
    """The function without autocast on any device, its half-precision arguments in float32.

    Arguments are tensors, and lists, tuples and dataclasses of them. A matrix product in bfloat16 has 3 significant
    digits. That suffices for a perceptron, but a rotation rounded to it is no longer orthogonal, and equivariance is
    lost. Functions of rotations, positions and eigenvectors are marked; perceptrons are not.
    """

    @wraps(function)
    def exact(*args: P.args, **kwargs: P.kwargs) -> T:
        for device in DEVICES:
            if torch.is_autocast_enabled(device):
                with torch.autocast(device, enabled=False):
                    return exact(*_each_widened(args), **{key: _widened(value) for key, value in kwargs.items()})
        return function(*args, **kwargs)

    return exact


def _widened(value: Any) -> Any:
    """The value with its half-precision tensors in float32; itself where it has none."""
    if isinstance(value, Tensor):
        return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
    if type(value) in (list, tuple):
        each = _each_widened(value)
        return type(value)(each) if any(new is not old for new, old in zip(each, value, strict=True)) else value
    if is_dataclass(value) and not isinstance(value, type):
        before = {field.name: getattr(value, field.name) for field in fields(value)}
        after = {name: _widened(each) for name, each in before.items()}
        return replace(value, **after) if any(after[name] is not before[name] for name in before) else value
    return value


def _each_widened(values: Any) -> list[Any]:
    return [_widened(value) for value in values]
