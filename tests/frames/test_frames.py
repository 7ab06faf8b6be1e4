import pytest
import torch

from tensorframes.frames import Frames
from tensorframes.reps import TensorReps
from tensorframes.testing import random_orthogonal

REPS = TensorReps("2x0 + 1x0p + 1x1 + 1x1p + 1x2")


def test_local_and_world_are_inverse() -> None:
    frames = Frames(random_orthogonal(6))
    x = torch.randn(6, REPS.dim, dtype=torch.float64)
    assert torch.allclose(frames.to_world(frames.to_local(x, REPS), REPS), x, atol=1e-12)


def test_row_a_of_a_frame_is_its_axis_a() -> None:
    frames = Frames(random_orthogonal(4))
    axes = torch.stack([frames.to_local(frames.matrices[:, a], TensorReps("1x1")) for a in range(3)], dim=1)
    assert torch.allclose(axes, torch.eye(3, dtype=torch.float64).expand(4, 3, 3), atol=1e-12)


def test_transition_goes_from_the_senders_frame_to_the_receivers() -> None:
    senders, receivers = Frames(random_orthogonal(5)), Frames(random_orthogonal(3))
    edge_index = torch.tensor([[0, 4, 2, 1], [0, 0, 2, 1]])
    x = torch.randn(5, REPS.dim, dtype=torch.float64)
    step = REPS.transform(x[edge_index[0]], receivers.transition(edge_index, senders))
    world = senders.to_world(x, REPS)[edge_index[0]]
    assert torch.allclose(step, REPS.transform(world, receivers.matrices[edge_index[1]]), atol=1e-12)


def test_mirrored_reverses_the_last_axis_alone() -> None:
    frames = Frames(random_orthogonal(3))
    mirrored = frames.mirrored().matrices
    assert torch.equal(mirrored[:, :2], frames.matrices[:, :2])
    assert torch.equal(mirrored[:, 2], -frames.matrices[:, 2])


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"expected frames \(N, d, d\)"):
        Frames(torch.eye(3))
