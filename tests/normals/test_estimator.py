"""The whole network: profiles, frames, precision, training, and what it refuses."""

from collections.abc import Callable
from dataclasses import is_dataclass, replace
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
    LocalPlanes,
    NormalEstimator,
    RegionPlanes,
    Select,
    VectorHead,
)
from tensorframes.normals.candidates import Source
from tensorframes.normals.fit import Fit
from tensorframes.reps import TensorReps
from tensorframes.testing import assert_equivariant, random_orthogonal
from tests.normals.small import axes_agree, estimator, old_head, plane_head, scan_lines, surface


def with_source(source: Source[Any]) -> Callable[..., Select]:
    """Makes selections with one source."""
    return partial(Select, sources={"one": source})


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
        torch.eye(3).double()[2:].expand(2, 3), height=torch.tensor([0.5, -0.2]).double(), features=torch.zeros(2, 8)
    )
    with torch.no_grad():
        head.offsets[0].step_layer.weight.zero_()
        head.offsets[0].step_layer.bias.fill_(20.0)
    embedding, before = torch.zeros(2, 4).double(), torch.zeros(3, 3).double()
    after, moved = head.offsets[0](
        replace(fit, features=fit.features.double()), embedding, torch.tensor([2, 0]), before
    )
    assert torch.allclose(moved[:, 2], torch.tensor([-0.2, 0.0, 0.5]).double())
    assert torch.allclose(after.height, torch.zeros(2).double(), atol=1e-6)


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
        estimator(head=partial(plane_head, initial_selection=with_source(RegionPlanes([[4], [4], [4]]))))(surface())
    with pytest.raises(ValueError, match="a backbone with coarse levels"):
        PointNet2(widths=(8,), radii=(), features=PlaneFeatures((), variation_profile=True))
    with pytest.raises(ValueError, match=r"local planes of at most 3 levels, got 4"):
        estimator(head=partial(plane_head, initial_selection=with_source(LocalPlanes([[4], [4], [4], [4]]))))(surface())
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


@pytest.mark.parametrize("refine", [False, True])
@pytest.mark.parametrize("cloud", [surface, scan_lines])
@pytest.mark.parametrize("head", [None, old_head], ids=["planes", "old"])
@torch.no_grad()
def test_mixed_precision_leaves_geometry_frames_and_rotations_exact(
    head: object, cloud: Callable[[], torch.Tensor], refine: bool
) -> None:
    network, g = estimator(head=head, refine=refine).float(), random_orthogonal(1, determinant=-1)[0].float()
    pos = cloud().float()
    turned, batch = pos @ g.T, torch.zeros(len(pos), dtype=torch.long)

    def exact_parts() -> tuple[list[torch.Tensor], list[Frames], Frames]:
        geometry, plan, _, _ = network.planned(pos, batch, None, None, None)
        frames = network.find_frames(geometry)
        return tensors_of(plan), frames, network.backbone(geometry, frames)[1]

    full_plan, full_frames, _ = exact_parts()
    with torch.autocast("cpu", torch.bfloat16):
        plan, frames, refined = exact_parts()
        here, there = network(pos).normal, network(turned).normal
    assert all(torch.equal(mixed, full) for mixed, full in zip(plan, full_plan, strict=True))
    assert all(torch.equal(mixed.matrices, full.matrices) for mixed, full in zip(frames, full_frames, strict=True))
    product = refined.matrices @ refined.matrices.mT
    assert (product - torch.eye(3)).abs().max() < 1e-5
    assert here.dtype == torch.float32
    lost = (here @ g.T).cross(there, dim=-1).norm(dim=-1).rad2deg()
    assert lost.median() < 0.01
    assert lost.quantile(0.98) < 0.1


def tensors_of(value: object) -> list[torch.Tensor]:
    """All tensors of a plan."""
    if isinstance(value, torch.Tensor):
        return [value]
    inner = vars(value).values() if is_dataclass(value) else value if isinstance(value, (list, tuple)) else ()
    return [tensor for each in inner for tensor in tensors_of(each)]


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
        (lambda pos: Frames(torch.full((len(pos), 3, 3), 0.5).to(pos)), "expected frames R with orthonormal rows, got"),
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
