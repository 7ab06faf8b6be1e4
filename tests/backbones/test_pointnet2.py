"""PointNet++ in tensor frames: every one of its layers transports, and the whole is equivariant."""

import pytest
import torch
from torch import Tensor

from tensorframes.backbones import FeaturePropagation, PointNet2, SetAbstraction
from tensorframes.frames import Frames, IdentityFrames, LearnedFrames
from tensorframes.layers import PlaneFeatures, measured
from tensorframes.messages import IrrepMessages, Messages, ScalarMessages, TensorMessages
from tensorframes.reps import TensorReps
from tensorframes.testing import assert_equivariant, assert_transports

REPS = TensorReps("3x0 + 2x1 + 1x1p + 1x2")
OUT = TensorReps("4x0 + 2x1")


def small(messages: object = None, refine: bool = False, **more: object) -> PointNet2:
    torch.manual_seed(0)
    network = PointNet2(messages or TensorMessages(), (16, 24, 24), (1.5, 3.0), neighbours=8, refine=refine, **more)
    for refinement in network.refinements or []:  # they start at zero: let them do something
        torch.nn.init.normal_(refinement.net[-1].weight)
    for rounds in (*network.rounds_down, *network.rounds_up):  # so do these
        for gain in rounds.gains:
            torch.nn.init.normal_(gain)
    for embedding in network.embeddings.children():  # and these
        torch.nn.init.normal_(embedding.net.layers[-1].weight)
    return network.double()


COARSE = {"rounds": (1, 2), "encoder_layers": 0, "decoder_layers": 0}
PLANES = {"features": PlaneFeatures(((4, 8), (3,)), False)}
KINDS = pytest.mark.parametrize(
    "more", [{}, {"refine": True}, COARSE, PLANES], ids=["plain", "refined", "coarse", "planes"]
)


def run(network: PointNet2, finder: torch.nn.Module, pos: Tensor, batch: Tensor | None = None) -> tuple[Tensor, Frames]:
    batch = torch.zeros(len(pos), dtype=torch.long) if batch is None else batch
    hierarchy = measured(network.plan(pos, batch), network.requirements)
    first = finder(pos, hierarchy.levels[0].edge_index, batch)
    frames = [first.index_select(level.rows) for level in hierarchy.levels]
    return network(hierarchy, frames)


def test_set_abstraction_transports() -> None:
    layer = SetAbstraction(REPS, OUT, degree=4).double()
    assert_transports(lambda x, e, pos, src, dst: layer(x, e, pos, (src, dst)), REPS)


def test_feature_propagation_transports() -> None:
    layer = FeaturePropagation(REPS, OUT, OUT, degree=4).double()

    def forward(x: Tensor, e: Tensor, pos: tuple[Tensor, Tensor], src: Frames, dst: Frames) -> Tensor:
        return layer(x, torch.ones(len(pos[1]), OUT.dim, dtype=x.dtype), e, pos, (src, dst))

    assert_transports(forward, REPS)


@pytest.mark.parametrize("messages", [TensorMessages(), IrrepMessages(), ScalarMessages()])
@KINDS
def test_features_are_equivariant_tensors(more: dict[str, object], messages: Messages) -> None:
    network, finder = small(messages, **more), LearnedFrames(group="o").double()

    def world(pos: Tensor) -> Tensor:
        x, frames = run(network, finder, pos)
        return frames.to_world(x, network.reps)

    assert_equivariant(world, 2 * torch.randn(150, 3), network.reps)


def test_identity_frames_are_not_equivariant() -> None:
    network, finder = small(), IdentityFrames()
    with pytest.raises(AssertionError, match="not equivariant"):
        assert_equivariant(lambda pos: run(network, finder, pos)[0], 2 * torch.randn(150, 3), network.reps)


def test_clouds_of_a_batch_do_not_see_each_other() -> None:
    network, finder = small(), LearnedFrames().double()
    clouds = [2 * torch.randn(n, 3, dtype=torch.float64) for n in (60, 1, 25)]
    batch = torch.arange(3).repeat_interleave(torch.tensor([60, 1, 25]))
    apart = torch.cat([run(network, finder, cloud)[0] for cloud in clouds])
    assert torch.allclose(run(network, finder, torch.cat(clouds), batch)[0], apart, atol=1e-10)


def test_the_order_of_points_does_not_matter() -> None:
    network, finder = small(), LearnedFrames().double()
    pos, order = 2 * torch.randn(150, 3, dtype=torch.float64), torch.randperm(150)
    assert torch.allclose(run(network, finder, pos[order])[0], run(network, finder, pos)[0][order], atol=1e-10)


def test_refined_frames_are_others() -> None:
    pos, finder = 2 * torch.randn(80, 3, dtype=torch.float64), LearnedFrames(group="o").double()
    unrefined, refined = (run(small(refine=refine), finder, pos)[1].matrices for refine in (False, True))
    assert (unrefined - refined).abs().max() > 0.1


@pytest.mark.slow
@KINDS
def test_the_network_compiles_without_a_graph_break_to_the_same_numbers(more: dict[str, object]) -> None:
    network = small(**more)
    pos = 2 * torch.randn(80, 3, dtype=torch.float64)
    hierarchy = measured(network.plan(pos, torch.zeros(80, dtype=torch.long)), network.requirements)
    finder = LearnedFrames().double()
    frames = [finder(level.pos, level.edge_index, level.batch) for level in hierarchy.levels]
    torch.compiler.reset()
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)(hierarchy, frames)
    assert torch.allclose(compiled[0], network(hierarchy, frames)[0], atol=1e-12)


def test_rounds_begin_as_nothing_and_then_count() -> None:
    pos, finder = 2 * torch.randn(150, 3, dtype=torch.float64), LearnedFrames().double()
    plain, added = small(), PointNet2(TensorMessages(), (16, 24, 24), (1.5, 3.0), neighbours=8, rounds=(2, 1)).double()
    added.load_state_dict(plain.state_dict(), strict=False)
    before = run(plain, finder, pos)[0]
    assert torch.equal(run(added, finder, pos)[0], before)
    for depth in (1, 2):
        torch.nn.init.normal_(added.rounds_down[depth].gains[0])
        after = run(added, finder, pos)[0]
        assert (after - before).abs().max() > 1e-3
        before = after
    assert [len(rounds.gains) for rounds in added.rounds_down] == [0, 2, 1]
    assert [len(rounds.gains) for rounds in added.rounds_up] == [0, 2]


def test_multiscale_planes_begin_as_nothing_and_then_count() -> None:
    pos, finder = 2 * torch.randn(150, 3, dtype=torch.float64), LearnedFrames().double()
    plain, added = small(), small(**PLANES)
    added.load_state_dict(plain.state_dict(), strict=False)
    with_planes = run(added, finder, pos)[0]
    for parameter in added.embeddings.multiscale_planes.net.layers[-1].parameters():
        torch.nn.init.zeros_(parameter)
    without, expected = run(added, finder, pos)[0], run(plain, finder, pos)[0]
    assert torch.equal(without, expected)
    assert (with_planes - expected).abs().max() > 1e-3


def test_scalar_messages_ignore_the_senders_frames() -> None:
    assert small(ScalarMessages()).reps.is_invariant


def test_levels_and_radii_must_agree() -> None:
    with pytest.raises(ValueError, match="expected one radius per level"):
        PointNet2(widths=(8, 8), radii=(1.0, 2.0))
    with pytest.raises(ValueError, match="expected increasing radii"):
        PointNet2(widths=(8, 8, 8), radii=(2.0, 1.0))
    with pytest.raises(ValueError, match="expected increasing radii above 0"):
        PointNet2(widths=(8, 8), radii=(0.0,))
    with pytest.raises(ValueError, match="whole number neighbours >= 1"):
        PointNet2(neighbours=0)
    for counts in ([[]], [[4, 0]], [[4], [4], [4]]):
        with pytest.raises(ValueError, match=r"expected .*multi-scale planes"):
            small(features=PlaneFeatures(counts, False))
    for rounds in ((1, 1), (-1,)):
        with pytest.raises(ValueError, match="expected rounds >= 0 of at most 1 levels"):
            PointNet2(widths=(8, 8), radii=(1.0,), rounds=rounds)
    with pytest.raises(ValueError, match="expected encoder_layers 0 or 1, got 2"):
        PointNet2(encoder_layers=2)
