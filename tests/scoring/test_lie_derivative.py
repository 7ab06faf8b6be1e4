"""The Lie derivative finds what does not turn along, and where; nothing else."""

import threading

import pytest
import torch
from torch import Tensor, nn

from tensorframes.backbones import DGCNN, GIN, LoCaFormer, PointNet, PointNet2, PointTransformer
from tensorframes.frames import Frames, IdentityFrames, LearnedFrames, PCAFrames, RandomGlobalFrames
from tensorframes.normals import Head, NormalEstimator, Prediction, VectorHead
from tensorframes.scoring import lie_derivative

SMALL = {
    "pointnet2": lambda: PointNet2(widths=(16, 24), radii=(1.5,), neighbours=8),
    "point_transformer": lambda: PointTransformer(widths=(16, 24), radii=(1.5,), neighbours=8),
    "pointnet": lambda: PointNet(widths=(16, 24), pooled=8, neighbours=8),
    "dgcnn": lambda: DGCNN(widths=(16, 16), width=24, pooled=8, neighbours=8),
    "gin": lambda: GIN(widths=(16, 16), width=24, neighbours=8),
    "locaformer": lambda: LoCaFormer(width=16, layers=2, heads=2, neighbours=8),
}


def cloud(count: int = 120) -> Tensor:
    return 2 * torch.randn(count, 3, generator=torch.Generator().manual_seed(0))


def estimator(frames: nn.Module, backbone: str = "pointnet2") -> NormalEstimator:
    torch.manual_seed(0)
    return NormalEstimator(frames, SMALL[backbone](), VectorHead)


@pytest.mark.parametrize("backbone", SMALL)
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("frames", [LearnedFrames("so"), PCAFrames("o")], ids=["learned", "pca"])
def test_local_frames_leave_rounding(backbone: str, frozen: bool, frames: nn.Module) -> None:
    error = lie_derivative(estimator(frames, backbone), cloud(), frozen)
    assert error is not None
    assert error.normal < 1e-6
    assert len(error.layers) >= 2
    assert max(error.layers.values()) < 1e-6


@pytest.mark.parametrize("backbone", SMALL)
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("frames", [IdentityFrames(), RandomGlobalFrames()], ids=["identity", "random"])
def test_frames_that_stay_show_a_large_error_in_every_layer(backbone: str, frozen: bool, frames: nn.Module) -> None:
    error = lie_derivative(estimator(frames, backbone), cloud(), frozen)
    assert error is not None
    assert error.normal > 0.05
    assert min(error.layers.values()) > 0.01


def test_a_constant_normal_has_the_error_of_staying() -> None:
    """Rotation about z leaves e_z, about x and y it moves it by one radian per radian: sqrt(2 / 3)."""

    class Up(Head[Tensor, Tensor]):
        def __init__(self, reps: object) -> None:
            super().__init__()

        def plan(self, geometry: object, rows: Tensor) -> Tensor:
            return rows

        def read(self, x: Tensor, frames: Frames, rows: Tensor) -> Tensor:
            return x

        def forward(self, readings: list[Tensor], rows: Tensor) -> Prediction:
            normal = readings[0].new_tensor([0, 0, 1]).expand(len(rows), 3)
            return Prediction(normal, normal.new_zeros(0, *normal.shape))

    network = NormalEstimator(PCAFrames("o"), SMALL["pointnet"](), Up)
    error = lie_derivative(network, cloud())
    assert error is not None
    assert error.normal == pytest.approx((2 / 3) ** 0.5, abs=1e-6)


def test_the_layer_at_fault_is_found_and_those_after_it_are_not_blamed() -> None:
    class Tilted(nn.Module):
        """Adds a number that stays where it is."""

        def __init__(self, layer: nn.Module) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor, edge_index: Tensor, pos: Tensor, frames: Frames) -> Tensor:
            return self.layer(x, edge_index, pos, frames) + pos[:, :1]

    network = estimator(LearnedFrames("so"), "gin")
    network.backbone.convs[0] = Tilted(network.backbone.convs[0])
    error = lie_derivative(network, cloud(), frozen=True)
    assert error is not None
    assert error.layers["probes.0"] > 0.01
    assert error.layers["probes.1"] < 1e-6
    assert error.layers["probes.2"] < 1e-6
    assert error.normal > 1e-3


def test_samples_that_follow_the_axes_show_when_recomputed_only() -> None:
    """A backbone that keeps the rows with the largest z: its graph turns the answer, its layers don't."""

    class Sampled(GIN):
        def plan(self, pos: Tensor, batch: Tensor, knn_index: Tensor | None = None) -> object:
            order = pos[:, 2].argsort()  # ranks along z decide who is whose neighbour
            hierarchy = super().plan(pos, batch)
            level = hierarchy.levels[0]
            table = ranked(order)
            return type(hierarchy)((type(level)(pos, batch, level.rows, table, level.below),), (), 1, table)

    from tensorframes.geometry.replay import discrete

    @discrete
    def ranked(order: Tensor) -> Tensor:
        return torch.stack([order.roll(shift) for shift in range(8)], dim=1)

    network = NormalEstimator(PCAFrames("so"), Sampled(widths=(16,), width=16, neighbours=8), VectorHead)
    frozen, anew = lie_derivative(network, cloud(), True), lie_derivative(network, cloud(), False, step=0.01)
    assert frozen is not None
    assert anew is not None
    assert frozen.normal < 1e-6
    assert anew.normal > 0.1


def test_the_estimator_itself_stays_as_it_is() -> None:
    network = estimator(LearnedFrames("so")).train()
    lie_derivative(network, cloud())
    assert network.training
    assert next(network.parameters()).dtype == torch.float32
    assert not any(module._forward_hooks for module in network.modules())


def test_passes_take_turns_whatever_threads_there_are_since_layers_are_told_apart_by_their_calls() -> None:
    network, threads = estimator(LearnedFrames()), torch.get_num_threads()
    seen = set()

    class Watching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pos: Tensor) -> object:
            self.network.backbone.register_forward_pre_hook(lambda *_: seen.add(threading.get_ident()))
            return self.network(pos)

    torch.set_num_threads(2)
    try:
        assert lie_derivative(Watching(), cloud()) is not None
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert seen == {threading.get_ident()}
