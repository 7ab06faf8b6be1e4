"""Every backbone, with every kind of messages: equivariant, blind to order and to other clouds, compiled or not."""

from functools import partial

import pytest
import torch
from torch import Tensor

from tensorframes.backbones import (
    DGCNN,
    GIN,
    Backbone,
    FrameAttention,
    FrameEdgeConv,
    FrameGINConv,
    FrameTransformerLayer,
    FusionAbstraction,
    LoCaFormer,
    MultiScaleAbstraction,
    PointNet,
    PointNet2,
    PointTransformer,
)
from tensorframes.frames import Frames, LearnedFrames, PCAFrames
from tensorframes.layers import MomentFeatures
from tensorframes.messages import (
    IrrepMessages,
    Messages,
    ScalarMessages,
    TensorialMessagePassing,
    TensorMessages,
    tensorial,
)
from tensorframes.normals import NormalEstimator, PlaneFitHead, VectorHead
from tensorframes.reps import TensorReps
from tensorframes.testing import Layer, assert_equivariant, assert_transports, random_orthogonal
from tests.marks import slow_except

MADE = {
    "pointnet2": partial(PointNet2, widths=(16, 24), radii=(1.5,), neighbours=8),
    "pointnet2_msg": partial(
        PointNet2, widths=(16, 24), radii=(1.5,), neighbours=8, layer=partial(MultiScaleAbstraction, shares=(0.5, 1.0))
    ),
    "pointnet2_fusion": partial(
        PointNet2, widths=(16, 24), radii=(1.5,), neighbours=8, layer=partial(FusionAbstraction, channels=2)
    ),
    "pointnet2_batch_norm": partial(PointNet2, widths=(16, 24), radii=(1.5,), neighbours=8, norm="batch"),
    "point_transformer": partial(PointTransformer, widths=(16, 24), radii=(1.5,), neighbours=8),
    "pointnet": partial(PointNet, widths=(16, 24), pooled=8, neighbours=8),
    "dgcnn": partial(DGCNN, widths=(16, 16), width=24, pooled=8, neighbours=8, refine=True),
    "graph": partial(DGCNN, widths=(16, 16), width=24, pooled=0, neighbours=8, dynamic=False),
    "graph_softmax": partial(
        DGCNN,
        widths=(16,),
        width=16,
        pooled=0,
        neighbours=8,
        dynamic=False,
        aggregations=("softmax", "sum"),
        radial=3,
        directional=2,
        norm="batch",
    ),
    "gin": partial(GIN, widths=(16, 16), width=24, neighbours=8, directional=3, refine=True),
    "locaformer": partial(LoCaFormer, width=16, layers=2, heads=2, neighbours=8, refine=True),
}
KINDS = [TensorMessages(), IrrepMessages(), ScalarMessages()]


def made(name: str, messages: Messages | None = None) -> Backbone:
    torch.manual_seed(0)
    network = MADE[name](messages).double().eval()  # in training, batch norms look at other points
    for module in getattr(network, "refinements", None) or []:
        torch.nn.init.normal_(module.net[-1].weight)
    return network


def run(network: Backbone, pos: Tensor, batch: Tensor | None = None) -> tuple[Tensor, Frames]:
    batch = torch.zeros(len(pos), dtype=torch.long) if batch is None else batch
    torch.manual_seed(1)
    finder, hierarchy = LearnedFrames("o").double(), network.plan(pos, batch)
    first = finder(pos, hierarchy.levels[0].edge_index, batch)
    return network(hierarchy, [first.index_select(level.rows) for level in hierarchy.levels])


def cloud(count: int = 90) -> Tensor:
    return 2 * torch.randn(count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("messages", KINDS, ids=lambda kind: type(kind).__name__)
def test_features_are_equivariant(name: str, messages: Messages) -> None:
    network = made(name, messages)
    assert network.reps.dim == run(network, cloud())[0].shape[1]

    def world(pos: Tensor) -> Tensor:
        x, frames = run(network, pos)
        return frames.to_world(x, network.reps)

    assert_equivariant(world, cloud(), network.reps)


@pytest.mark.parametrize("name", MADE)
def test_order_and_other_clouds_do_not_matter(name: str) -> None:
    network, pos, order = made(name), cloud(), torch.randperm(90)
    assert torch.allclose(run(network, pos[order])[0], run(network, pos)[0][order], atol=1e-9)
    clouds = [cloud(40), cloud(1) + 3, 5 * cloud(25)]
    batch = torch.arange(3).repeat_interleave(torch.tensor([40, 1, 25]))
    apart = torch.cat([run(network, each)[0] for each in clouds])
    assert torch.allclose(run(network, torch.cat(clouds), batch)[0], apart, atol=1e-9)


@pytest.mark.parametrize("name", slow_except(["pointnet", "graph"], [each for each in MADE if each != "dgcnn"]))
def test_compiled_networks_give_the_same_numbers_and_gradients(name: str) -> None:
    """DGCNN finds its graphs on the way, which breaks the compiled one."""
    network, pos = made(name), cloud()
    hierarchy = network.plan(pos, torch.zeros(90, dtype=torch.long))
    frames = [Frames(random_orthogonal(len(level))) for level in hierarchy.levels]
    torch.compiler.reset()
    results = []
    for call in (network, torch.compile(network, backend="aot_eager", fullgraph=True)):
        network.zero_grad()
        out = call(hierarchy, frames)[0]
        out.square().sum().backward()
        results.append((out.detach(), [p.grad.clone() for p in network.parameters() if p.grad is not None]))
    assert torch.allclose(results[0][0], results[1][0], atol=1e-12)
    for one, other in zip(results[0][1], results[1][1], strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-9)


REPS, OUT = TensorReps("4x0 + 2x1 + 1x1p + 1x2"), TensorReps("8x0")
ON_ONE_CLOUD = {  # layer, and how many numbers its messages know of an edge
    **{f"edge_{name}": (FrameEdgeConv(REPS, OUT, 4, name), 4) for name in ("max", "mean", "sum", "softmax")},
    "edge_multi": (FrameEdgeConv(REPS, OUT, 4, ("max", "softmax"), radial=2, directional=2), 14),
    "attention": (FrameAttention(REPS, 4), 3),
    "gin": (FrameGINConv(REPS, OUT, 4), REPS.dim),
    "transformer": (FrameTransformerLayer(REPS, 4, heads=2), 2 * REPS.dim),
}


def on_one_cloud(name: str) -> Layer:
    """One of these layers as ``assert_transports`` takes it."""
    conv, numbers = ON_ONE_CLOUD[name]
    conv = conv.double()

    def layer(x: Tensor, edge_index: Tensor, pos: tuple[Tensor, Tensor], *frames: Frames) -> Tensor:
        own = torch.ones(len(pos[1]), REPS.dim, dtype=x.dtype)
        edge = torch.ones(edge_index.shape[1], numbers, dtype=x.dtype)
        return conv.propagate(edge_index, x=(x, own), edge=edge, frames=frames)

    return layer


@pytest.mark.parametrize("name", ON_ONE_CLOUD)
def test_layers_on_one_cloud_transport(name: str) -> None:
    assert_transports(on_one_cloud(name), REPS, compile_modes=(False,))


@pytest.mark.parametrize("name", slow_except(["edge_multi", "attention", "gin", "transformer"], ON_ONE_CLOUD))
def test_compiled_layers_on_one_cloud_transport(name: str) -> None:
    assert_transports(on_one_cloud(name), REPS, compile_modes=(True,))


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("make", [partial(MultiScaleAbstraction, shares=(0.5, 1.0)), partial(FusionAbstraction)])
def test_gathering_layers_transport(make: object, compiled: bool) -> None:
    layer = make(REPS, OUT, degree=4).double()
    assert_transports(lambda x, e, pos, *frames: layer(x, e, pos, frames), REPS, compile_modes=(compiled,))


@pytest.mark.parametrize("name", MADE)
def test_receivers_in_chunks_get_the_same_as_together(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, pos = made(name), cloud()
    together = run(network, pos)[0].detach()
    monkeypatch.setattr(tensorial, "CHUNK", 7)
    served = []
    whole = TensorialMessagePassing._serve
    monkeypatch.setattr(
        TensorialMessagePassing, "_serve", lambda self, *rest: served.append(len(rest[1])) or whole(self, *rest)
    )
    with torch.no_grad():
        torch.testing.assert_close(run(network, pos)[0], together, rtol=1e-10, atol=1e-12)
    assert name == "pointnet" or 7 in served
    served.clear()
    run(network, pos)
    assert name == "pointnet" or 7 not in served  # with gradients everyone is served at once


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("finder", [PCAFrames("so"), LearnedFrames("so")], ids=["pca", "learned"])
@pytest.mark.parametrize("head", [partial(PlaneFitHead, neighbours=(8, 4), hidden=4, embedding=2), VectorHead])
def test_any_backbone_frames_and_head_make_an_equivariant_estimator(
    name: str, finder: torch.nn.Module, head: object
) -> None:
    torch.manual_seed(0)
    network = NormalEstimator(finder, made(name), head).double().eval()
    assert_equivariant(lambda pos: network(pos).normal, cloud(), "1x1", unoriented=True)


@pytest.mark.parametrize("kind", [DGCNN, GIN, LoCaFormer, PointNet, PointNet2, PointTransformer])
@pytest.mark.parametrize("given", ["1x1", "tensor", 3, TensorMessages])
def test_messages_are_objects(kind: type[Backbone], given: object) -> None:
    with pytest.raises(ValueError, match=r"expected messages such as TensorMessages\(\), got "):
        kind(messages=given)


@pytest.mark.parametrize("kind", [DGCNN, GIN, LoCaFormer, PointNet, PointNet2, PointTransformer])
@pytest.mark.parametrize("given", ["planes", MomentFeatures])
def test_features_are_objects(kind: type[Backbone], given: object) -> None:
    with pytest.raises(ValueError, match=r"expected node features such as MomentFeatures\(\), got "):
        kind(features=given)


@pytest.mark.parametrize("given", ["8", 8])
def test_widths_are_a_sequence(given: object) -> None:
    with pytest.raises(ValueError, match="expected a sequence of widths, got "):
        DGCNN(widths=given)
