"""Functions whose results are constants for differentiation, also within ``torch.func``."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import torch
from torch import Tensor

P = ParamSpec("P")


def constant(choose: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """A decorator for functions whose result has no derivative, such as rows of points.

    Within ``torch.func.grad``, ``jvp`` and their like a tensor has no memory that NumPy could read; the function gets
    the one inside.
    """

    @wraps(choose)
    def chosen(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        if torch.compiler.is_compiling():
            return choose(*args, **kwargs)
        names, count = list(kwargs), len(args)

        def of_values(*values: Any) -> Tensor:
            return choose(*values[:count], **dict(zip(names, values[count:], strict=True)))

        result: Tensor = _Constant.apply(of_values, *args, *kwargs.values())
        return result

    return chosen


class _Constant(torch.autograd.Function):
    @staticmethod
    def forward(choose: Callable[..., Tensor], *values: Any) -> Tensor:
        return choose(*values)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.mark_non_differentiable(output)
        ctx.count = len(inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[None, ...]:
        return (None,) * ctx.count

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> None:
        return None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], choose: Callable[..., Tensor], *values: Any) -> tuple[Any, None]:
        if any(dim is not None for dim in in_dims):
            raise ValueError("expected one set of points, got several by torch.func.vmap; batch= takes several clouds")
        return _Constant.apply(choose, *values), None
