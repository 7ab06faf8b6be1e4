"""Learned frames: equivariance, and what becomes of neighbourhoods that carry no frame."""

import pytest
import torch

from tensorframes.frames import FrameFinder, Frames, LearnedFrames, RandomGlobalFrames, complete_frames, last_axis
from tensorframes.geometry import knn_graph
from tensorframes.testing import random_orthogonal

MIRROR = torch.diag(torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64))


def finder(group: str, d: int = 3) -> LearnedFrames:
    torch.manual_seed(1)
    return LearnedFrames(group=group, hidden=16, d=d).double()


def frames_of(group: str, pos: torch.Tensor, k: int = 16, batch: torch.Tensor | None = None) -> Frames:
    with torch.no_grad():
        return finder(group, pos.shape[1])(pos, knn_graph(pos, k, batch), batch)


def assert_orthonormal(frames: Frames) -> None:
    product = frames.matrices @ frames.matrices.transpose(1, 2)
    assert torch.allclose(product, torch.eye(frames.d, dtype=product.dtype).expand_as(product), atol=1e-12)


@pytest.mark.parametrize("d", [2, 3, 4])
@pytest.mark.parametrize("group", ["so", "o"])
@pytest.mark.parametrize("determinant", [1, -1])
def test_frames_turn_with_the_cloud(group: str, d: int, determinant: int) -> None:
    pos = torch.randn(150, d, dtype=torch.float64)
    g = random_orthogonal(1, d, determinant)[0]
    before, after = frames_of(group, pos), frames_of(group, pos @ g.T + 3.0)
    expected = before.matrices @ g.T
    if group == "so" and determinant < 0:
        expected = before.mirrored().matrices @ g.T
    assert_orthonormal(after)
    assert torch.allclose(after.matrices, expected, atol=1e-10)
    assert (after.fallback <= 1).all()
    assert (after.fallback == 0).float().mean() > 0.9


def test_so_frames_are_rotations() -> None:
    for d in (2, 3, 4):
        frames = frames_of("so", torch.randn(40, d, dtype=torch.float64))
        assert torch.allclose(torch.linalg.det(frames.matrices), torch.ones(40, dtype=torch.float64))


def test_a_flat_cloud_has_so3_frames_whose_last_axis_is_its_normal() -> None:
    pos = torch.randn(60, 3, dtype=torch.float64) * torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)
    g = random_orthogonal(1, determinant=1)[0]
    frames = frames_of("so", pos @ g.T)
    assert (frames.fallback <= 1).all()
    assert torch.allclose((frames.matrices[:, 2] @ g[:, 2]).abs(), torch.ones(60, dtype=torch.float64), atol=1e-12)


def test_a_flat_cloud_has_no_o3_frame_of_its_own() -> None:
    pos = torch.randn(60, 3, dtype=torch.float64) * torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)
    frames = frames_of("o", pos)
    assert_orthonormal(frames)
    assert (frames.fallback == 3).all()  # symmetry forbids an equivariant third axis: the world's, and counted


def test_a_flat_patch_of_a_solid_cloud_takes_its_o3_frame_from_farther_away() -> None:
    flat = torch.rand(80, 3, dtype=torch.float64) * torch.tensor([4.0, 4.0, 0.0], dtype=torch.float64)
    solid = torch.randn(60, 3, dtype=torch.float64) + torch.tensor([2.0, 2.0, 9.0], dtype=torch.float64)
    pos = torch.cat([flat, solid])
    before = frames_of("o", pos)
    assert ((before.fallback == 1) | (before.fallback == 2))[:80].all()
    for determinant in (1, -1):
        g = random_orthogonal(1, determinant=determinant)[0]
        after = frames_of("o", pos @ g.T)
        assert torch.allclose(after.matrices, before.matrices @ g.T, atol=1e-9)
        assert torch.equal(after.fallback, before.fallback)


@pytest.mark.parametrize("group", ["so", "o"])
@pytest.mark.parametrize(
    "pos",
    [
        torch.arange(20.0).unsqueeze(1) * torch.tensor([[1.0, 2.0, -1.0]]),  # collinear
        torch.ones(10, 3),  # all equal
        torch.zeros(1, 3),  # one point
        torch.tensor([[0.0, 0, 0], [1, 2, 3]]),  # a single neighbour
        torch.cat([torch.eye(3), -torch.eye(3), torch.zeros(1, 3)]),  # isotropic about its centre
        torch.cat([torch.randn(6, 3)] * 3),  # every point three times
    ],
    ids=["line", "equal", "one", "two", "isotropic", "duplicates"],
)
def test_degenerate_neighbourhoods_give_finite_reproducible_frames(group: str, pos: torch.Tensor) -> None:
    pos = pos.double()
    frames = frames_of(group, pos, k=6)
    assert_orthonormal(frames)
    order = torch.randperm(len(pos))
    permuted = frames_of(group, pos[order], k=6)
    assert torch.allclose(permuted.matrices, frames.matrices[order], atol=1e-9)


def test_an_isotropic_neighbourhood_takes_its_frame_from_a_wider_one() -> None:
    octahedron = torch.cat([torch.eye(3), -torch.eye(3), torch.zeros(1, 3)]).double()
    far = torch.randn(30, 3, dtype=torch.float64) + 2.0
    pos = torch.cat([octahedron, far])
    before = frames_of("so", pos, k=6)
    assert before.fallback[6] == 1
    g = random_orthogonal(1, determinant=1)[0]
    assert torch.allclose(frames_of("so", pos @ g.T, k=6).matrices[6], before.matrices[6] @ g.T, atol=1e-9)


def test_clouds_of_a_batch_do_not_see_each_other() -> None:
    clouds = [torch.randn(n, 3, dtype=torch.float64) for n in (30, 1, 12)]
    clouds.append(torch.zeros(5, 3, dtype=torch.float64))
    batch = torch.arange(4).repeat_interleave(torch.tensor([len(c) for c in clouds]))
    together = frames_of("so", torch.cat(clouds), batch=batch)
    apart = torch.cat([frames_of("so", c).matrices for c in clouds])
    assert torch.allclose(together.matrices, apart, atol=1e-10)


def test_frames_have_gradients() -> None:
    module = finder("so")
    pos = torch.randn(40, 3, dtype=torch.float64)
    module(pos, knn_graph(pos, 8)).matrices[:, 0, 0].sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())
    assert any(p.grad.abs().max() > 0 for p in module.parameters())


def test_completion_takes_candidates_in_order_and_says_when_none_is_left() -> None:
    candidates = torch.tensor([[[0.0, 0, 0], [2, 0, 0], [5, 0, 0], [1, 1, 0]]])
    axes, picks = complete_frames(candidates, 3)
    assert torch.equal(picks, torch.tensor([[1, 3, 4]]))
    assert torch.allclose(axes, torch.tensor([[[1.0, 0, 0], [0, 1, 0], [0, 0, 0]]]))


@pytest.mark.parametrize("d", [2, 3, 4, 5])
def test_last_axis_completes_a_rotation(d: int) -> None:
    axes = random_orthogonal(6, d)[:, :-1]
    full = torch.cat([axes, last_axis(axes).unsqueeze(1)], dim=1)
    assert torch.allclose(torch.linalg.det(full), torch.ones(6, dtype=torch.float64))


def test_an_unknown_group_is_refused() -> None:
    with pytest.raises(ValueError, match='expected group "so" or "o"'):
        LearnedFrames(group="su")


def test_frames_do_not_depend_on_how_the_edges_are_listed() -> None:
    """A neighbour table is summed as matrices, any other list of edges by index."""
    pos = torch.randn(80, 3, dtype=torch.float64)
    edges = knn_graph(pos, 12)
    shuffled = edges[:, torch.randperm(edges.shape[1])]
    with torch.no_grad():
        listed, mixed = finder("so")(pos, edges), finder("so")(pos, shuffled)
    assert not torch.equal(edges, shuffled)
    assert torch.allclose(listed.matrices, mixed.matrices, atol=1e-12)


@pytest.mark.parametrize("finder", [LearnedFrames().double(), RandomGlobalFrames()])
def test_a_batch_of_other_points_is_told(finder: FrameFinder) -> None:
    pos = torch.randn(30, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"expected batch of shape \(30,\), got \(7,\)"):
        finder(pos, knn_graph(pos, 5), torch.zeros(7, dtype=torch.long))
