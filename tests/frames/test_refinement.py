"""Refined frames: orthonormal, as equivariant as before, with the same tensors expressed in them."""

import pytest
import torch

from tensorframes.frames import FrameRefinement, Frames
from tensorframes.reps import TensorReps
from tensorframes.testing import random_orthogonal


def refinement(reps: TensorReps, strength: float = 1.0) -> FrameRefinement:
    torch.manual_seed(0)
    module = FrameRefinement(reps).double()
    torch.nn.init.normal_(module.net[-1].weight, std=strength)
    return module


@pytest.mark.parametrize("d", [2, 3, 4])
@pytest.mark.parametrize("determinant", [1, -1])
def test_features_are_the_same_tensors_in_the_refined_frames(d: int, determinant: int) -> None:
    reps = TensorReps("3x0 + 2x1 + 1x2 + 1x1p", d=d)
    x, frames = torch.randn(50, reps.dim, dtype=torch.float64), Frames(random_orthogonal(50, d))
    module, g = refinement(reps), random_orthogonal(1, d, determinant)[0]
    in_frame, turned = module(x, frames)
    product = turned.matrices @ turned.matrices.transpose(1, 2)
    assert torch.allclose(product, torch.eye(d, dtype=x.dtype).expand_as(product), atol=1e-12)
    assert (turned.matrices - frames.matrices).abs().max() > 0.1
    assert torch.allclose(turned.to_world(in_frame, reps), frames.to_world(x, reps))
    other = module(x, Frames(frames.matrices @ g.T))  # features in local frames do not change under g
    assert torch.allclose(other[0], in_frame)
    assert torch.allclose(other[1].matrices, turned.matrices @ g.T)


def test_it_starts_at_the_frames_as_they_were_found() -> None:
    reps = TensorReps("2x0 + 2x1")
    x, frames = torch.randn(9, reps.dim), Frames(random_orthogonal(9).float())
    in_frame, turned = FrameRefinement(reps)(x, frames)
    assert torch.equal(in_frame, x)
    assert torch.equal(turned.matrices, frames.matrices)


def test_mixed_precision_leaves_the_frames_orthonormal_layer_by_layer() -> None:
    reps = TensorReps("2x0 + 2x1")
    x, frames = torch.randn(200, reps.dim), Frames(random_orthogonal(200).float())
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for _ in range(4):
            x, frames = refinement(reps).float()(x.bfloat16(), frames)  # a layer's features are in half precision
    assert x.dtype == frames.matrices.dtype == torch.float32
    assert (frames.matrices @ frames.matrices.mT - torch.eye(3)).abs().max() < 1e-5


def test_where_orthonormalisation_fails_the_frame_stays() -> None:
    reps = TensorReps("2x0")
    module = FrameRefinement(reps)
    torch.nn.init.constant_(module.net[-1].bias, 0.0)
    with torch.no_grad():
        module.net[-1].bias[0] = -1.0  # the first row of 1 + M is zero
    frames = Frames(random_orthogonal(4).float())
    assert torch.equal(module(torch.randn(4, 2), frames)[1].matrices, frames.matrices)
