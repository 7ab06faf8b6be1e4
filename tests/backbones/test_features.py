"""Node features: composed into any backbone, equivariant, and with coarse levels for whoever needs them."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from tensorframes.backbones import DGCNN, GIN, Backbone, LoCaFormer, PointNet, PointNet2, PointTransformer
from tensorframes.frames import Frames, LearnedFrames
from tensorframes.layers import ConstantFeatures, MomentFeatures, NodeFeatures, PlaneEmbedding, PlaneFeatures, measured
from tensorframes.layers.multiscale_planes import PlaneSizes
from tensorframes.messages import ScalarMessages, TensorMessages
from tensorframes.normals import NormalEstimator, PlaneFitHead, VectorHead
from tensorframes.testing import assert_equivariant, random_orthogonal

RADII = (1.5, 3.0)
GRAPH = {"widths": (16, 16), "width": 16, "neighbours": 8, "radii": RADII}
LEVELS = {"widths": (16, 24, 24), "neighbours": 8, "radii": RADII}
MADE: dict[str, Callable[..., Backbone]] = {
    "pointnet2": partial(PointNet2, **LEVELS),
    "point_transformer": partial(PointTransformer, **LEVELS),
    "graph": partial(DGCNN, pooled=0, dynamic=False, **GRAPH),
    "dgcnn": partial(DGCNN, pooled=8, **GRAPH),
    "gin": partial(GIN, **GRAPH),
    "locaformer": partial(LoCaFormer, width=16, layers=2, heads=2, neighbours=8, radii=RADII),
    "pointnet": partial(PointNet, widths=(16, 16), pooled=8, neighbours=8, radii=RADII),
}
PLANES = ((4, 8), (3,))
HEAD = partial(
    PlaneFitHead,
    neighbours=(8, 4, 3),
    hidden=4,
    embedding=2,
    multiscale_planes=PLANES,
    local_planes=((6, 12), (4,)),
    variation_profile=True,
)


def cloud(count: int = 100) -> Tensor:
    return 2 * torch.randn(count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(4))


def estimator(name: str, features: NodeFeatures, head: object = HEAD) -> NormalEstimator:
    """With everything that is zero at initialisation sampled instead."""
    torch.manual_seed(0)
    network = NormalEstimator(LearnedFrames("so"), MADE[name](features=features), head)
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.3)
    return network.double().eval()


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize(
    "features", [ConstantFeatures, partial(PlaneFeatures, PLANES, True)], ids=["constant", "planes"]
)
def test_any_backbone_with_any_features_and_all_of_the_head_is_equivariant(
    name: str, features: Callable[[], NodeFeatures]
) -> None:
    network = estimator(name, features())
    assert_equivariant(lambda pos: network(pos).normal, cloud(), "1x1", unoriented=True, tolerance=1e-9)


@pytest.mark.parametrize("name", MADE)
def test_a_step_of_training_reaches_every_parameter_of_the_features(name: str) -> None:
    network = estimator(name, PlaneFeatures(PLANES, True)).train()
    network(cloud()).normal[:, 0].square().sum().backward()
    gradients = {name: p.grad for name, p in network.backbone.embeddings.named_parameters()}
    assert {name.partition(".")[0] for name in gradients} == {"multiscale_planes", "variation_profile"}
    assert all(grad is not None and grad.isfinite().all() and grad.any() for grad in gradients.values())


@pytest.mark.parametrize("name", MADE)
def test_planes_and_profile_begin_as_nothing_and_then_count(name: str) -> None:
    plain, added = (estimator(name, kind, VectorHead) for kind in (MomentFeatures(), PlaneFeatures(PLANES, True)))
    added.load_state_dict(plain.state_dict(), strict=False)
    with_both = added(cloud()).normal
    for part in added.backbone.embeddings.children():
        last = list(part.parameters())[-2:]
        before = added(cloud()).normal
        for parameter in last:
            nn.init.zeros_(parameter)
        assert (added(cloud()).normal - before).abs().max() > 1e-4
    assert torch.equal(added(cloud()).normal, plain(cloud()).normal)
    assert not torch.equal(with_both, plain(cloud()).normal)


def test_frames_are_found_on_the_levels_that_the_backbone_works_on() -> None:
    for name, levels in (("graph", 1), ("pointnet2", 3)):
        network = estimator(name, MomentFeatures())
        geometry, _ = network.geometry(cloud(), torch.zeros(100, dtype=torch.long))
        assert len(geometry.levels) == network.backbone.hierarchy_levels == 3
        assert len(network.frames) == len(network.find_frames(geometry)) == network.backbone.levels == levels


def test_constant_features_hold_no_geometry() -> None:
    features = estimator("pointnet", ConstantFeatures()).backbone  # it has no messages
    geometry = features.plan(cloud(), torch.zeros(100, dtype=torch.long))
    x, _ = features(geometry, [Frames(random_orthogonal(100))])
    assert torch.equal(x, x[:1].expand_as(x))
    assert [ConstantFeatures().reps_for(kind).dim for kind in (TensorMessages(), ScalarMessages())] == [1, 1]


def test_planes_of_level_1_are_interpolated_to_level_0() -> None:
    sizes = PlaneSizes.checked(1, PLANES)
    embedding, batch = PlaneEmbedding(sizes, 5).double(), torch.zeros(100, dtype=torch.long)
    nn.init.normal_(embedding.net.layers[-1].weight)
    geometry = measured(MADE["graph"]().plan(cloud(), batch), PlaneFeatures(PLANES, False).requirements)
    for depth in (0, 1):
        count = len(geometry.levels[depth])
        assert embedding(geometry, depth, Frames(random_orthogonal(count))).shape == (count, 5)
    with pytest.raises(ValueError, match="expected multi-scale planes at level 0 or 1, got level 2"):
        embedding(geometry, 2, Frames(random_orthogonal(len(geometry.levels[2]))))


def test_features_that_need_more_levels_than_there_are_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected multi-scale planes of at most 0 levels, got 2: each radius"):
        DGCNN(features=PlaneFeatures(PLANES, False), radii=())
    with pytest.raises(ValueError, match=r"expected a backbone with coarse levels, .* got one without radii"):
        LoCaFormer(features=PlaneFeatures((), variation_profile=True), radii=())
    with pytest.raises(ValueError, match="expected increasing radii"):
        PointNet(radii=(3.0, 1.5))
    with pytest.raises(ValueError, match="expected radii of at least 2 levels"):
        Backbone(radii=(1.5,), levels=3)
    for wrong in ([[]], [[4, 0]], [4, 8]):
        with pytest.raises(ValueError, match="expected"):
            PlaneFeatures(wrong, False)
