import pytest
import torch
from pytorch_lightning.utilities import move_data_to_device
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_leaves, tree_map

from tensorframes.frames import (
    FrameFinder,
    FrameRefinement,
    Frames,
    GravityFrames,
    IdentityFrames,
    LearnedFrames,
    NearestNeighbourFrames,
    PCAFrames,
    RandomGlobalFrames,
    RandomLocalFrames,
)
from tensorframes.geometry import knn_graph
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


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_skewed_frames_are_refused(dtype: torch.dtype) -> None:
    right = random_orthogonal(5).to(dtype)
    frames, skewed = Frames(right), right.clone()
    skewed[3, 0] *= 1.1
    with pytest.raises(ValueError, match=r"expected frames R with orthonormal rows, got \|R R\^T - 1\| = 0\.2"):
        Frames(skewed)
    with pytest.raises(ValueError, match="expected frames R with orthonormal rows"):
        frames.turned(skewed)
    with pytest.raises(ValueError, match=r"got .* = nan"):
        Frames(right * torch.nan)
    assert len(Frames(right[:0])) == 0


def test_frames_move_and_change_precision() -> None:
    frames = Frames(random_orthogonal(4), torch.tensor([0, 1, 2, 3], dtype=torch.uint8))
    single = frames.to(torch.float32)
    assert single.matrices.dtype == torch.float32
    assert single.fallback is frames.fallback
    moved = move_data_to_device({"frames": frames}, torch.device("meta"))["frames"]
    assert moved.matrices.device.type == moved.fallback.device.type == "meta"
    assert Frames(random_orthogonal(2)).to("meta").fallback is None


@pytest.mark.parametrize("fallback", [None, torch.zeros(5, dtype=torch.uint8)])
def test_frames_are_an_input_of_an_exported_program(fallback: torch.Tensor | None) -> None:
    class World(torch.nn.Module):
        def forward(self, x: torch.Tensor, frames: Frames) -> torch.Tensor:
            return frames.to_world(x, REPS)

    x, frames = torch.randn(5, REPS.dim, dtype=torch.float64), Frames(random_orthogonal(5), fallback)
    program = torch.export.export(World(), (x, frames))
    others = Frames(random_orthogonal(5), fallback)
    assert torch.allclose(program.module()(x, others), others.to_world(x, REPS))
    assert [tuple(leaf.shape) for leaf in tree_leaves(frames)] == [(5, 3, 3), (5,)][: 1 if fallback is None else 2]
    assert isinstance(tree_map(lambda leaf: leaf.shape, frames), Frames)


FINDERS = (
    IdentityFrames,
    RandomGlobalFrames,
    RandomLocalFrames,
    LearnedFrames,
    GravityFrames,
    PCAFrames,
    NearestNeighbourFrames,
)


@pytest.mark.parametrize("finder", FINDERS)
def test_whole_numbers_are_no_positions(finder: type[FrameFinder]) -> None:
    pos = torch.randint(9, (20, 3))
    with pytest.raises(ValueError, match=r"expected floating point positions, got torch\.int64"):
        finder()(pos, knn_graph(pos.double(), 6))


def test_positions_are_in_the_precision_of_the_parameters() -> None:
    pos = torch.randn(20, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"expected positions of torch\.float32, as the parameters are, got torch\.fl"):
        LearnedFrames()(pos, knn_graph(pos, 6))


def test_representations_may_be_texts() -> None:
    frames, x = Frames(random_orthogonal(5)), torch.randn(5, 3, dtype=torch.float64)
    assert torch.equal(frames.to_local(x, "1x1"), frames.to_local(x, TensorReps("1x1")))
    assert FrameRefinement("4x0 + 1x1").reps == TensorReps("4x0 + 1x1")


def test_what_is_no_frames_is_told() -> None:
    with pytest.raises(ValueError, match=r"expected frames \(N, d, d\) as a tensor, got list"):
        Frames(torch.eye(3).expand(4, 3, 3).tolist())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"expected fallback of shape \(4,\), got \(3,\)"):
        Frames(torch.eye(3).expand(4, 3, 3), torch.zeros(3, dtype=torch.uint8))
    for turn in (Frames.identity(4).to_local, Frames.identity(4).to_world):
        with pytest.raises(ValueError, match=r"expected features with a row for each frame, 4 in all, got .*\(5, 3\)"):
            turn(torch.zeros(5, 3), "1x1")


def test_frames_are_made_where_values_cannot_be_read() -> None:
    matrices = torch.eye(3).expand(2, 4, 3, 3)
    assert torch.equal(torch.func.vmap(lambda r: Frames(r).matrices)(matrices), matrices)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert len(Frames(torch.empty(4, 3, 3))) == 4
    traced = make_fx(lambda r: Frames(r).matrices)(matrices[0])
    assert torch.equal(traced(matrices[0]), matrices[0])
    with torch.device("meta"):
        assert len(Frames(matrices[0])) == 4
