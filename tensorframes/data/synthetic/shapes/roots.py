"""Values, gradients and zeros of a field."""

import torch
from torch import Tensor

from tensorframes.data.synthetic.shapes.fields import Field

SECANTS = 8
BLOCK = 1 << 15
TOLERANCE = 1e-7
SMALLEST_GRADIENT = 1e-3


def evaluate(field: Field, pos: Tensor) -> Tensor:
    """f at (N, 3) points, in blocks that stay in the processor's cache."""
    with torch.no_grad():
        return torch.cat([field(block) for block in pos.split(BLOCK)]) if len(pos) else pos.new_zeros(0)


def value_and_gradient(field: Field, pos: Tensor) -> tuple[Tensor, Tensor]:
    """f (N,) and its gradient (N, 3)."""
    values, gradients = [pos.new_zeros(0)], [pos.new_zeros(0, 3)]
    for block in pos.split(BLOCK) if len(pos) else ():
        block = block.clone().requires_grad_()
        value = field(block)
        gradients.append(torch.autograd.grad(value.sum(), block)[0])
        values.append(value.detach())
    return torch.cat(values), torch.cat(gradients)


def refined(
    field: Field,
    start: Tensor,
    direction: Tensor,
    a: Tensor,
    b: Tensor,
    low: Tensor,
    high: Tensor,
    steps: int = SECANTS,
) -> Tensor:
    """Distances (M,) of zeros of f(start + t direction) between a (M,), where f is `low`, and b, where f is `high` and
    has the other sign, by the Illinois method: a secant, the value of an end that stays put halved."""
    for _ in range(steps):
        middle = (a * high - b * low) / (high - low)
        value = evaluate(field, start + direction * middle[:, None])
        same = (value < 0) == (low < 0)
        # The end that moves is called b from here on; a is the other one, on the other side of the zero.
        a, low = torch.where(same, b, a), torch.where(same, high, low)
        b, high, low = middle, value, torch.where(same, low, low / 2)
    return b


def bracketed(field: Field, start: Tensor, direction: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Distances (M,) of zeros between a and b, ends computed with a field of lower precision.

    Where the signs at the ends are equal now, the zero is within rounding of the end of smaller |f|; that end is given.
    """
    low, high = (evaluate(field, start + direction * t[:, None]) for t in (a, b))
    zero = torch.where(low.abs() < high.abs(), a, b)
    good = (low < 0) != (high < 0)
    zero[good] = refined(field, start[good], direction[good], a[good], b[good], low[good], high[good], steps=12)
    return zero
