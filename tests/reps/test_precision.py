"""Functions in full precision: no autocast inside, on any device, and half-precision arguments in float32."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from tensorframes.reps import full_precision


@dataclass(frozen=True)
class Pair:
    left: Tensor
    right: "Tensor | None" = None


@dataclass(frozen=True)
class Nested:
    pairs: tuple[Pair, ...]
    number: int = 0


@pytest.fixture(params=["cpu", "cuda", "xpu", "mps"])
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    """A device type whose autocast is on, as a setting alone: the device need not be there."""
    name: str = request.param
    torch.set_autocast_enabled(name, True)
    yield name
    torch.set_autocast_enabled(name, False)


@full_precision
def state(*args: object, **kwargs: object) -> tuple[bool, tuple[object, ...], dict[str, object]]:
    return any(torch.is_autocast_enabled(name) for name in ("cpu", "cuda", "xpu", "mps")), args, kwargs


def test_autocast_is_off_wherever_the_tensors_are(device: str) -> None:
    half = torch.ones(2, dtype=torch.bfloat16)
    for args, kwargs in (((half,), {}), ((Pair(half),), {}), ((), {"pos": half}), ((), {})):
        assert not state(*args, **kwargs)[0]
        assert torch.is_autocast_enabled(device)


def test_autocast_of_two_devices_is_off(device: str) -> None:
    torch.set_autocast_enabled("cpu", True)
    assert not state(Pair(torch.ones(2)))[0]
    assert torch.is_autocast_enabled(device)
    assert torch.is_autocast_enabled("cpu")
    torch.set_autocast_enabled("cpu", False)


def test_half_precision_arguments_are_widened_also_within_others(device: str) -> None:
    half, full = torch.ones(2, dtype=torch.bfloat16), torch.ones(2, dtype=torch.float64)
    pair = Pair(full)
    _, args, kwargs = state(half, [half, full], Nested((Pair(half, full), pair), 3), pair, Pair, own=(half,))
    given, listed, nested, same, kind = args
    assert given.dtype == listed[0].dtype == kwargs["own"][0].dtype == torch.float32
    assert (nested.pairs[0].left.dtype, nested.pairs[0].right.dtype, nested.number) == (torch.float32, torch.float64, 3)
    assert same is pair
    assert kind is Pair


def test_it_compiles_within_autocast() -> None:
    @full_precision
    def product(pair: Pair, *, other: Tensor) -> Tensor:
        return pair.left @ other

    def mixed(a: Tensor, b: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return product(Pair(a @ b), other=b)

    a, b = torch.randn(2, 4, 4)
    found = torch.compile(mixed, fullgraph=True, backend="eager")(a, b)
    assert found.dtype == torch.float32
    assert torch.equal(found, mixed(a, b))
