"""The checks for users' own layers, on functions that are right and on functions that are broken on purpose."""

import pytest
import torch
from torch import Tensor

from tensorframes.frames import Frames
from tensorframes.reps import TensorReps
from tensorframes.testing import assert_equivariant, assert_transports


def cloud() -> Tensor:
    return torch.randn(9, 3, dtype=torch.float64)


def energy(pos: Tensor) -> Tensor:
    return (1 + (pos.unsqueeze(0) - pos.unsqueeze(1)).square().sum(-1)).log().sum()


def forces(pos: Tensor) -> Tensor:
    pos = pos.detach().requires_grad_()
    return -torch.autograd.grad(energy(pos), pos)[0]


def test_forces_and_energies_are_checked() -> None:
    assert_equivariant(energy, cloud(), "1x0")
    assert_equivariant(forces, cloud(), "1x1")
    with torch.no_grad(), pytest.raises(AssertionError, match="not equivariant"):
        assert_equivariant(lambda pos: energy(pos * pos.new_tensor([1.0, 1.0, 2.0])), cloud(), "1x0")
    with pytest.raises(AssertionError, match="not equivariant"):
        assert_equivariant(lambda pos: forces(pos) * pos.new_tensor([1.0, 1.0, 2.0]), cloud(), "1x1")


def test_a_pseudovector_is_no_vector() -> None:
    def torque(pos: Tensor) -> Tensor:
        centred = pos - pos.mean(0)
        return torch.linalg.cross(centred, centred.square().sum(-1, keepdim=True) * centred.roll(1, 0))

    assert_equivariant(torque, cloud(), "1x1p")
    assert_equivariant(torque, cloud(), "1x1", group="so3")
    with pytest.raises(AssertionError, match="determinant -1"):
        assert_equivariant(torque, cloud(), "1x1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group": "O3"}, 'expected group "o3" or "so3", got \'O3\''),
        ({"trials": 1}, "expected at least 2 trials for group 'o3', got 1"),
        ({"trials": 0, "group": "so3"}, "expected at least 1 trials for group 'so3', got 0"),
    ],
)
def test_a_check_that_would_see_less_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        assert_equivariant(lambda pos: pos - pos.mean(0), cloud(), "1x1", **options)


def test_results_that_cannot_be_compared_are_told() -> None:
    sizes = iter([9, 1])
    with pytest.raises(ValueError, match=r"expected results of one shape, got \(9, 3\) and \(1, 3\)"):
        assert_equivariant(lambda pos: (pos - pos.mean(0))[: next(sizes)], cloud(), "1x1")
    with pytest.raises(ValueError, match=r"expected features \(rows, dim\) as the result, got tuple"):
        assert_equivariant(lambda pos: (pos,), cloud(), "1x1")
    with pytest.raises(ValueError, match=r"expected features \(rows, dim\) as the result, got shape \(0, 3\)"):
        assert_equivariant(lambda pos: pos[:0], cloud(), "1x1")


def test_a_layer_without_a_result_is_told() -> None:
    def layer(x: Tensor, edge_index: Tensor, pos: tuple[Tensor, Tensor], senders: Frames, receivers: Frames) -> None:
        return None

    with pytest.raises(ValueError, match=r"expected features \(rows, dim\) as the result, got NoneType"):
        assert_transports(layer, TensorReps("1x1"))


def test_a_result_of_zeros_tests_nothing() -> None:
    with pytest.raises(AssertionError, match="nothing was tested: the result is zero"):
        assert_equivariant(torch.zeros_like, torch.randn(9, 3), "1x1")
