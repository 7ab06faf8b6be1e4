"""Interpolation from coarse to fine points in local frames."""

import pytest
import torch

from tensorframes.frames import Frames
from tensorframes.messages import FrameInterpolation
from tensorframes.reps import TensorReps
from tensorframes.testing import assert_transports, random_orthogonal

REPS = TensorReps("2x0 + 1x0p + 2x1 + 1x1p + 1x2")


def test_interpolation_arrives() -> None:
    layer = FrameInterpolation(REPS, degree=4)
    assert_transports(lambda x, e, pos, src, dst: layer(x, e, pos, (src, dst)), REPS)


def test_interpolation_reproduces_a_constant_tensor_field() -> None:
    reps = TensorReps("1x0 + 1x1 + 1x2")
    coarse, fine = Frames(random_orthogonal(5)), Frames(random_orthogonal(8))
    world = torch.randn(1, reps.dim, dtype=torch.float64)
    x = coarse.to_local(world.expand(5, -1), reps)
    source = torch.stack([torch.randperm(5)[:3] for _ in range(8)]).flatten()
    edge_index = torch.stack([source, torch.arange(8).repeat_interleave(3)])
    pos = torch.randn(5, 3, dtype=torch.float64), torch.randn(8, 3, dtype=torch.float64)
    out = FrameInterpolation(reps)(x, edge_index, pos, (coarse, fine))
    assert torch.allclose(fine.to_world(out, reps), world.expand(8, -1), atol=1e-12)


def test_interpolation_refuses_what_it_would_misread() -> None:
    coarse, fine = Frames(random_orthogonal(5)), Frames(random_orthogonal(8))
    edge_index = torch.stack([torch.arange(5).repeat(5)[:24], torch.arange(8).repeat(3)])
    pos = torch.randn(5, 3, dtype=torch.float64), torch.randn(8, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match="expected edges sorted by receiver, 3 each"):
        FrameInterpolation(REPS)(torch.randn(5, REPS.dim, dtype=torch.float64), edge_index, pos, (coarse, fine))
    with pytest.raises(ValueError, match="expected a whole number degree >= 1"):
        FrameInterpolation(REPS, degree=0)
    with pytest.raises(ValueError, match="expected epsilon > 0"):
        FrameInterpolation(REPS, epsilon=0.0)
