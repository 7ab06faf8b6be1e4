"""Any backbone, any frames, any messages, any head: combinations sampled at random are equivariant, and compile."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from tensorframes.backbones import (
    DGCNN,
    GIN,
    FusionAbstraction,
    LoCaFormer,
    MultiScaleAbstraction,
    PointNet,
    PointNet2,
    PointTransformer,
    SetAbstraction,
)
from tensorframes.frames import Frames, LearnedFrames, NearestNeighbourFrames, PCAFrames
from tensorframes.messages import IrrepMessages, ScalarMessages, TensorMessages
from tensorframes.normals import NormalEstimator, PlaneFitHead, VectorHead
from tensorframes.testing import assert_equivariant, random_orthogonal

COUNT = 24
POINTS = 70


@dataclass(frozen=True)
class Composition:
    """One of each, by name."""

    backbone: str
    frames: str
    messages: str
    norm: str
    head: str
    refine: bool
    encoded: bool

    def __str__(self) -> str:
        return "-".join(str(value) for value in vars(self).values())


MESSAGES: dict[str, Callable[[], object]] = {
    "tensor": TensorMessages,
    "orders_0_to_3": partial(TensorMessages, shares=(0.2, 0.2, 0.4)),
    "irreps": partial(IrrepMessages, shares=(0.2, 0.2, 0.2)),
    "scalar": ScalarMessages,
}
FRAMES: dict[str, Callable[[], nn.Module]] = {
    "learned_so": partial(LearnedFrames, "so"),
    "learned_o": partial(LearnedFrames, "o"),
    "pca_so": partial(PCAFrames, "so"),
    "pca_o": partial(PCAFrames, "o"),
    "nearest": partial(NearestNeighbourFrames, "so"),
}
HEADS = {
    "vector": VectorHead,
    "planes": partial(PlaneFitHead, neighbours=(8, 4), hidden=4, embedding=2),
    "two fits and local planes": partial(
        PlaneFitHead, neighbours=(8, 4), fits=2, hidden=4, embedding=2, local_planes=((8, 16),)
    ),
}
BACKBONES = ("pointnet", "ssg", "msg", "fusion", "point_transformer", "dgcnn", "graph", "gin", "locaformer")


def backbone(chosen: Composition) -> nn.Module:
    """The network of a composition, small."""
    kinds, norm, refine = MESSAGES[chosen.messages](), chosen.norm, chosen.refine
    encoding = {"radial": 3, "directional": 2} if chosen.encoded else {}
    levels = {"widths": (32, 48), "radii": (1.5,), "neighbours": 8, "norm": norm, "refine": refine}
    graph = {"widths": (32, 32), "width": 48, "neighbours": 8, "norm": norm, "refine": refine, **encoding}
    layers = {
        "ssg": partial(SetAbstraction, norm=norm, **encoding),
        "msg": partial(MultiScaleAbstraction, norm=norm, **encoding),
        "fusion": partial(FusionAbstraction, channels=2, norm=norm),
    }
    makers: dict[str, Callable[[], nn.Module]] = {
        **{name: partial(PointNet2, kinds, layer=layer, **levels) for name, layer in layers.items()},
        "pointnet": partial(PointNet, kinds, (32, 48), 16, 8, norm),
        "point_transformer": partial(PointTransformer, kinds, **levels),
        "dgcnn": partial(DGCNN, kinds, pooled=8, aggregations=("max", "softmax"), **graph),
        "graph": partial(DGCNN, kinds, pooled=0, dynamic=False, aggregations="mean", **graph),
        "gin": partial(GIN, kinds, **graph),
        "locaformer": partial(LoCaFormer, kinds, 48, 2, 4, 8, norm=norm, refine=refine, **encoding),
    }
    return makers[chosen.backbone]()


def sampled() -> list[Composition]:
    """Some of all combinations, every backbone among them."""
    rng = random.Random(0)
    return [
        Composition(
            BACKBONES[number % len(BACKBONES)],
            rng.choice(list(FRAMES)),
            rng.choice(list(MESSAGES)),
            rng.choice(["layer", "batch"]),
            rng.choice(list(HEADS)),
            rng.random() < 0.5,
            rng.random() < 0.5,
        )
        for number in range(COUNT)
    ]


def waken(network: nn.Module) -> None:
    """What begins at zero, so that it changes nothing at first, is sampled instead."""
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.3)


def cloud() -> Tensor:
    return 2 * torch.randn(POINTS, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("chosen", sampled(), ids=str)
def test_a_composition_is_equivariant(chosen: Composition) -> None:
    torch.manual_seed(0)
    oriented = chosen.frames.endswith("_o") and chosen.head == "vector"
    estimator = NormalEstimator(FRAMES[chosen.frames](), backbone(chosen), HEADS[chosen.head], oriented)
    waken(estimator)
    estimator = estimator.double().eval()
    assert_equivariant(lambda pos: estimator(pos).normal, cloud(), "1x1", unoriented=not oriented, tolerance=1e-8)
    normal = estimator(cloud()).normal
    assert torch.allclose(normal.norm(dim=-1), torch.ones(POINTS, dtype=torch.float64))
    assert (normal @ normal.T).abs().min() < 0.9, "the normals do not differ from point to point"


@pytest.mark.slow
@pytest.mark.parametrize("chosen", [each for each in sampled() if each.backbone != "dgcnn"], ids=str)
def test_a_composition_compiles_to_the_same_numbers_and_gradients(chosen: Composition) -> None:
    """Networks in training mode, without a graph break; DGCNN finds its graphs on the way."""
    torch.manual_seed(0)
    network = backbone(chosen)
    waken(network)
    network = network.double()
    hierarchy = network.plan(cloud(), torch.zeros(POINTS, dtype=torch.long))
    frames = [Frames(random_orthogonal(len(level))) for level in hierarchy.levels]
    torch.compiler.reset()
    results = []
    for call in (network, torch.compile(network, backend="aot_eager", fullgraph=True)):
        network.zero_grad()
        out = call(hierarchy, frames)[0]
        out.square().sum().backward()
        grads = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in network.parameters()]
        results.append([out.detach(), *grads])
    for eager, compiled in zip(*results, strict=True):
        torch.testing.assert_close(compiled, eager, rtol=1e-8, atol=1e-8)
