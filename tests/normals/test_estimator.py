"""The whole network: equivariance, and what it says where symmetry allows no answer."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch

from tensorframes.backbones import PointNet2
from tensorframes.errors import UserError
from tensorframes.frames import Frames, IdentityFrames, LearnedFrames, RandomGlobalFrames
from tensorframes.geometry import cloud_scale, variation_profiles
from tensorframes.layers import PlaneFeatures
from tensorframes.normals import (
    Jet,
    LocalPlanes,
    NeighbourPlanes,
    NormalEstimator,
    PlaneFitHead,
    PlaneHead,
    RegionPlanes,
    Select,
    VectorHead,
    WeightedFit,
)
from tensorframes.normals.candidates import Source
from tensorframes.normals.fit import Fit
from tensorframes.reps import Representation, TensorReps
from tensorframes.testing import assert_equivariant, random_orthogonal


def plane_head(reps: Representation, **changes: object) -> PlaneHead:
    """A small head with every source of candidates."""
    local, width = LocalPlanes(((6, 12), (4, 8), (3,))), {"hidden": 4, "nearest": 20, "tolerances": (0.003, 0.05)}
    guess = {
        "regions": RegionPlanes(((4, 8), (3,))),
        "local": local,
        "neighbours": NeighbourPlanes(5, 6),
    }
    final = {"local": local, "jet": Jet()}
    parts = {
        "guess": partial(Select, sources=guess, **width),
        "fit": partial(WeightedFit, neighbours=(12, 4, 4), hidden=8),
        "final": partial(Select, sources=final, **width),
        "fits": 2,
        "levels": 3,
        "embedding": 4,
    }
    return PlaneHead(reps, **{**parts, **changes})


def estimator(group: str = "so", head: object = None, oriented: bool = False) -> NormalEstimator:
    """A small network whose parameters are random, also where training begins with zeros."""
    torch.manual_seed(6)
    backbone = PointNet2(
        features=PlaneFeatures((), variation_profile=head is None), widths=(16, 24, 24), radii=(1.5, 3.0), neighbours=8
    )
    network = NormalEstimator(LearnedFrames(group), backbone, head or plane_head, oriented).double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if (parameter == 0).all():
                parameter.normal_(std=0.3)
    return network


def with_source(source: Source[Any]) -> Callable[..., Select]:
    """Makes selections with one source."""
    return partial(Select, sources={"one": source})


def old_head(reps: Representation) -> PlaneFitHead:
    """The head of the shipped weights, with all its parts."""
    votes = {"candidates": (5, 3), "sizes": (4, 10), "minimal_samples": 4, "tolerances": (0.003, 0.012, 0.05, 0.2)}
    planes = {"multiscale_planes": ((4, 8), (3,)), "local_planes": ((6, 12), (4, 8), (3,))}
    sizes = {"neighbours": (12, 4, 4), "fits": 2, "hidden": 8, "embedding": 4, "final_selection": {"nearest": 5}}
    return PlaneFitHead(reps, **sizes, **votes, **planes)


def surface(count: int = 150) -> torch.Tensor:
    """A bent, generic patch."""
    generator = torch.Generator().manual_seed(5)
    uv = 4 * torch.rand(count, 2, generator=generator, dtype=torch.float64)
    return torch.cat([uv, (uv[:, :1].sin() * uv[:, 1:]) + 0.3 * uv[:, 1:] ** 2], dim=1)


def volume() -> torch.Tensor:
    """Points that fill a ball."""
    return 2 * torch.randn(150, 3, generator=torch.Generator().manual_seed(8))


def axes_agree(a: torch.Tensor, b: torch.Tensor, tolerance: float = 1e-9) -> bool:
    return bool(((a.unsqueeze(-1) * a.unsqueeze(-2)) - (b.unsqueeze(-1) * b.unsqueeze(-2))).abs().max() < tolerance)


@pytest.mark.parametrize("cloud", [surface(), volume()], ids=["surface", "volume"])
@pytest.mark.parametrize("group", ["so", "o"])
@pytest.mark.parametrize("head", [None, old_head], ids=["planes", "old"])
def test_unoriented_normals_are_equivariant(group: str, cloud: torch.Tensor, head: object) -> None:
    network = estimator(group, head)
    assert_equivariant(lambda pos: network(pos).normal, cloud, "1x1", unoriented=True, tolerance=1e-8)


def test_oriented_normals_are_equivariant_polar_vectors() -> None:
    network = estimator("o", VectorHead, oriented=True)
    assert_equivariant(lambda pos: network(pos).normal, surface(), "1x1")


def test_the_vector_head_with_so3_frames_is_equivariant_in_two_passes() -> None:
    network = estimator("so", VectorHead)
    assert_equivariant(lambda pos: network(pos).normal, surface(), "1x1", unoriented=True)


def test_one_pass_in_so3_frames_is_not_o3_equivariant() -> None:
    network = estimator("so", VectorHead)
    network.mirrors = False
    with pytest.raises(AssertionError, match="determinant -1"):
        assert_equivariant(lambda pos: network(pos).normal, surface(), "1x1", unoriented=True)


def test_scale_does_not_matter() -> None:
    network, pos = estimator(), surface()
    assert axes_agree(network(1000 * pos).normal, network(pos).normal)


def test_the_order_of_points_does_not_matter() -> None:
    network, pos, order = estimator(), surface(), torch.randperm(150)
    assert axes_agree(network(pos[order]).normal, network(pos).normal[order])


def test_clouds_of_a_batch_do_not_see_each_other() -> None:
    network, clouds = estimator(), [surface(120), surface(40) * 9 + 1, torch.zeros(1, 3, dtype=torch.float64)]
    batch = torch.arange(3).repeat_interleave(torch.tensor([120, 40, 1]))
    together = network(torch.cat(clouds), batch).normal
    assert axes_agree(together, torch.cat([network(cloud).normal for cloud in clouds]))


def test_a_patch_takes_the_profile_of_the_whole_cloud() -> None:
    network, pos = estimator(), surface()
    measured = profile_of(network, pos)
    assert axes_agree(network(pos, profile=measured).normal, network(pos).normal)
    assert not axes_agree(network(pos, profile=measured + 1).normal, network(pos).normal, 1e-6)


def test_the_profile_of_a_whole_cloud_is_measured_without_its_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    network, pos = estimator(), surface()
    expected = profile_of(network, pos)
    monkeypatch.setattr(PointNet2, "plan", None)
    assert torch.allclose(network.measured_profile(pos, float(cloud_scale(pos))), expected, atol=1e-12)
    assert estimator(head=VectorHead).measured_profile(pos, 1.0) is None


def profile_of(network: NormalEstimator, pos: torch.Tensor) -> torch.Tensor:
    batch = torch.zeros(len(pos), dtype=torch.long)
    exact = (pos - pos.mean(0)) / cloud_scale(pos)
    return variation_profiles(exact, batch, network.backbone.plan(exact, batch).levels[-1].rows)


def test_points_move_towards_the_plane_that_was_fitted() -> None:
    head = old_head(TensorReps("8x0")).double()
    fit = Fit(
        torch.eye(3).double()[2:].expand(2, 3), centre=torch.tensor([0.5, -0.2]).double(), features=torch.zeros(2, 8)
    )
    with torch.no_grad():
        head.offsets[0].share.weight.zero_()
        head.offsets[0].share.bias.fill_(20.0)
    embedding, before = torch.zeros(2, 4).double(), torch.zeros(3, 3).double()
    after, moved = head.offsets[0](
        replace(fit, features=fit.features.double()), embedding, torch.tensor([2, 0]), before
    )
    assert torch.allclose(moved[:, 2], torch.tensor([-0.2, 0.0, 0.5]).double())
    assert torch.allclose(after.centre, torch.zeros(2).double(), atol=1e-6)


def test_rows_are_those_asked_for_in_their_order() -> None:
    network, pos, rows = estimator(), surface(), torch.tensor([7, 3, 3, 149])
    assert axes_agree(network(pos, rows=rows).normal, network(pos).normal[rows])


def test_equal_points_have_equal_normals_and_change_no_others() -> None:
    network, pos = estimator(), surface()
    twice = network(torch.cat([pos, pos[:30]])).normal
    assert torch.equal(twice[:30], twice[150:])
    assert axes_agree(twice[:150], network(pos).normal)


@pytest.mark.parametrize("count", [4, 60])
@pytest.mark.parametrize("determinant", [1, -1])
def test_the_normal_of_a_flat_cloud_is_its_planes(count: int, determinant: int) -> None:
    flat = 3 * torch.randn(count, 3, dtype=torch.float64) * torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)
    g = random_orthogonal(1, determinant=determinant)[0]
    normal = estimator()(flat @ g.T + 5.0).normal
    assert axes_agree(normal, g[:, 2].expand(count, 3), 1e-8)


def test_the_normal_of_a_flat_lattice_is_its_planes_even_where_neighbours_lie_on_a_line() -> None:
    rows, columns = torch.meshgrid(torch.arange(40.0), 50 * torch.arange(4.0), indexing="ij")
    flat = torch.stack([rows.flatten(), columns.flatten(), torch.zeros(160)], dim=1).double()
    normal = estimator()(flat).normal
    assert torch.allclose(normal[:, 2].abs(), torch.ones(160, dtype=torch.float64), atol=1e-9)


@pytest.mark.parametrize(
    "pos",
    [
        torch.arange(30.0).unsqueeze(1) * torch.tensor([[1.0, 2.0, -0.5]]),
        torch.rand(30, 1, generator=torch.Generator().manual_seed(1)) * torch.tensor([[1.0, 1e4, 3.0]]),
        torch.full((10, 3), 7.0),
        torch.tensor([[0.0, 0, 0], [1, 1, 1]]),
        torch.zeros(1, 3),
    ],
    ids=["line", "uneven line", "equal", "two", "one"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_on_a_line_there_is_no_normal(pos: torch.Tensor, dtype: torch.dtype) -> None:
    g = random_orthogonal(1)[0]
    turned = (pos.double() @ g.T).to(dtype)
    assert (estimator().to(dtype)(turned).normal == 0).all()


def test_normals_are_unit_and_gradients_finite_in_training() -> None:
    network = estimator().train()
    prediction = network(surface())
    assert torch.allclose(prediction.normal.norm(dim=1), torch.ones(150, dtype=torch.float64))
    (prediction.normal[:, 0].square().sum() + prediction.iterates[:, :, 1].square().sum()).backward()
    missing = [name for name, p in network.named_parameters() if p.grad is None]
    assert missing == []
    assert all(p.grad.isfinite().all() for p in network.parameters())


def test_training_lowers_the_loss() -> None:
    network = estimator().train()
    pos = torch.nn.functional.normalize(torch.randn(300, 3, dtype=torch.float64), dim=1)
    noisy = 30 * (pos + 0.03 * torch.randn(300, 3, dtype=torch.float64))
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(25):
        loss = (1 - (network(noisy).iterates[0] * pos).sum(-1).square()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_frames_that_are_not_learned_are_inherited_by_coarser_levels() -> None:
    network = NormalEstimator(RandomGlobalFrames(), PointNet2(widths=(8, 8), radii=(1.5,)), VectorHead)
    pos = surface().float()
    frames = network.find_frames(network.backbone.plan(pos, torch.zeros(150, dtype=torch.long)))
    assert len(network.frames) == 1
    assert torch.equal(frames[1].matrices[0], frames[0].matrices[0])


def test_identity_frames_are_the_plain_network() -> None:
    network = NormalEstimator(IdentityFrames(), PointNet2(widths=(8, 8), radii=(1.5,)), VectorHead).double().eval()
    with pytest.raises(AssertionError, match="not equivariant"):
        assert_equivariant(lambda pos: network(pos).normal, surface(), "1x1", unoriented=True)


def test_no_row_asked_for_is_no_normal_given() -> None:
    for head in (None, VectorHead):
        prediction = estimator(head=head)(surface(), rows=torch.zeros(0, dtype=torch.long))
        assert prediction.normal.shape == (0, 3)
        assert prediction.iterates.shape[1:] == (0, 3)


def test_positions_may_be_more_exact_than_the_network() -> None:
    network, pos = estimator().float(), surface()
    far = network(pos + 2.0**20).normal
    assert far.dtype == torch.float32
    assert (far * network(pos).normal).sum(-1).abs().min() > 1 - 1e-5
    assert (far * network((pos + 2.0**20).float()).normal).sum(-1).abs().min() < 0.99


def test_wrong_input_is_refused() -> None:
    network = estimator()
    with pytest.raises(ValueError, match=r"expected positions of torch.float64, the network's, got torch.float32"):
        network(surface().float())
    for wrong in ({"fits": 0}, {"embedding": 0}, {"levels": 0}):
        with pytest.raises(ValueError, match="expected fits, levels and embedding >= 1"):
            plane_head(TensorReps("8x0"), **wrong)
    with pytest.raises(ValueError, match=r"multi-scale planes of at most 2 levels, got 3"):
        estimator(head=partial(plane_head, guess=with_source(RegionPlanes([[4], [4], [4]]))))(surface())
    with pytest.raises(ValueError, match="a backbone with coarse levels"):
        PointNet2(widths=(8,), radii=(), features=PlaneFeatures((), variation_profile=True))
    with pytest.raises(ValueError, match=r"local planes of at most 3 levels, got 4"):
        estimator(head=partial(plane_head, guess=with_source(LocalPlanes([[4], [4], [4], [4]]))))(surface())
    with pytest.raises(ValueError, match=r"expected profiles of shape \(1, 14\), got \(2, 14\)"):
        network(surface(), profile=torch.zeros(2, 14, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"expected positions \(N, 3\)"):
        network(torch.zeros(4, 2, dtype=torch.float64))
    with pytest.raises(ValueError, match="at least one point"):
        network(torch.zeros(0, 3, dtype=torch.float64))
    with pytest.raises(ValueError, match="one scale for each of 1 cloud,"):
        network(surface(), scale=torch.ones(2, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"expected frames of O\(3\)"):
        NormalEstimator(LearnedFrames("so"), PointNet2(), VectorHead, oriented=True)


@pytest.mark.parametrize("group", ["so", "o"])
@pytest.mark.parametrize("count", [4, 5, 7, 12])
def test_small_clouds_are_equivariant_though_their_coarse_levels_are_points_and_lines(group: str, count: int) -> None:
    network = estimator(group)
    cloud = torch.randn(count, 3, generator=torch.Generator().manual_seed(count), dtype=torch.float64)
    assert_equivariant(lambda pos: network(pos).normal, cloud, "1x1", unoriented=True, tolerance=1e-8)


def test_mixed_precision_leaves_frames_and_rotations_exact() -> None:
    network, g = estimator().float(), random_orthogonal(1, determinant=-1)[0].float()
    pos = surface().float()
    turned = pos @ g.T
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        frames = network.find_frames(network.backbone.plan(pos, torch.zeros(150, dtype=torch.long)))
        here, there = network(pos).normal, network(turned).normal
    exact = network.find_frames(network.backbone.plan(pos, torch.zeros(150, dtype=torch.long)))
    assert all(torch.equal(mixed.matrices, full.matrices) for mixed, full in zip(frames, exact, strict=True))
    assert here.dtype == torch.float32
    lost = 1 - (here @ g.T * there).sum(-1).abs()  # cosines: 1e-5 is a quarter of a degree
    assert lost.median() < 1e-5


def test_training_sees_both_kinds_of_so3_frames_and_o3_frames_as_they_are() -> None:
    def answers(group: str) -> int:
        network, answers_seen = estimator(group).train(), []
        for seed in range(8):
            torch.manual_seed(seed)
            normal = network(surface()).normal.detach()
            answers_seen += [normal] if not any(torch.equal(normal, other) for other in answers_seen) else []
        return len(answers_seen)

    assert (answers("so"), answers("o")) == (2, 1)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (lambda pos: Frames(torch.full((len(pos), 3, 3), 0.5).to(pos)), "expected orthonormal frames R from Own"),
        (lambda pos: Frames(torch.full((len(pos), 3, 3), torch.nan).to(pos)), r"got \|R R\^T - 1\| = nan"),
        (lambda pos: Frames.identity(len(pos) - 1, like=pos), r"expected frames \(150, 3, 3\) from Own.forward"),
        (lambda pos: Frames.identity(len(pos), 2, like=pos), r"got shape \(150, 2, 2\)"),
        (lambda pos: pos, "expected Own to return Frames, got Tensor"),
    ],
    ids=["skewed", "nan", "few", "flat", "tensor"],
)
@pytest.mark.parametrize("per_level", [False, True])
def test_frames_of_ones_own_that_are_none_are_told(frames: Callable, message: str, per_level: bool) -> None:
    class Own(IdentityFrames):
        def forward(self, pos: torch.Tensor, *given: object) -> Any:
            return frames(pos)

    Own.per_level = per_level
    features = PlaneFeatures((), variation_profile=False)
    backbone = PointNet2(features=features, widths=(16, 24, 24), radii=(1.5, 3.0), neighbours=8)
    network = NormalEstimator(Own(), backbone, VectorHead).double().eval()
    with pytest.raises(UserError, match=message):
        network(surface())
