"""Every finder whose frames come from vectors: equivariance, flat and degenerate neighbourhoods."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tensorframes.errors import UserError
from tensorframes.frames import (
    FrameRefinement,
    Frames,
    GravityFrames,
    LearnedFrames,
    NearestNeighbourFrames,
    PCAFrames,
    VectorFrames,
)
from tensorframes.geometry import knn_graph
from tensorframes.testing import random_orthogonal

FREE: dict[str, Callable[[str, int], VectorFrames]] = {
    "learned": lambda group, d: LearnedFrames(group, hidden=8, d=d),
    "pca": PCAFrames,
    "nearest": NearestNeighbourFrames,
}


def frames_of(name: str, group: str, pos: Tensor, k: int = 12) -> Frames:
    torch.manual_seed(1)
    made = GravityFrames(group=group, hidden=8) if name == "gravity" else FREE[name](group, pos.shape[1])
    with torch.no_grad():
        return made.double()(pos, knn_graph(pos, k))


def about_the_vertical(determinant: int) -> Tensor:
    g = torch.eye(3, dtype=torch.float64)
    g[:2, :2] = random_orthogonal(1, 2, determinant)[0]
    return g


def assert_turned(name: str, group: str, pos: Tensor, g: Tensor, k: int = 12) -> Frames:
    before, after = frames_of(name, group, pos, k), frames_of(name, group, pos @ g.T + 2.0, k)
    mirrored = group == "so" and torch.linalg.det(g) < 0
    expected = before.mirrored() if mirrored else before
    assert torch.equal(after.fallback, before.fallback)
    assert torch.allclose(after.matrices, expected.matrices @ g.T, atol=1e-8)
    product = after.matrices @ after.matrices.transpose(1, 2)
    assert torch.allclose(product, torch.eye(pos.shape[1], dtype=pos.dtype).expand_as(product), atol=1e-12)
    return before


@pytest.mark.parametrize("name", FREE)
@pytest.mark.parametrize("group", ["so", "o"])
@pytest.mark.parametrize("d", [2, 3, 5])
@pytest.mark.parametrize("determinant", [1, -1])
def test_frames_turn_with_the_cloud(name: str, group: str, d: int, determinant: int) -> None:
    pos = torch.randn(80, d, dtype=torch.float64)
    frames = assert_turned(name, group, pos, random_orthogonal(1, d, determinant)[0], k=16)
    assert (frames.fallback == 0).double().mean() > 0.7
    assert (frames.fallback <= 2).all()


@pytest.mark.parametrize("group", ["so", "o"])
@pytest.mark.parametrize("determinant", [1, -1])
def test_gravity_frames_turn_about_their_axis_alone(group: str, determinant: int) -> None:
    pos = torch.randn(80, 3, dtype=torch.float64)
    frames = assert_turned("gravity", group, pos, about_the_vertical(determinant))
    up = torch.tensor([0.0, 0, 1], dtype=torch.float64)
    assert torch.allclose(frames.matrices[:, 0], up.expand(80, 3))
    with pytest.raises(AssertionError):
        assert_turned("gravity", group, pos, random_orthogonal(1, determinant=1)[0])


@pytest.mark.parametrize("name", FREE)
@pytest.mark.parametrize("determinant", [1, -1])
def test_so_frames_of_a_flat_cloud_are_equivariant(name: str, determinant: int) -> None:
    flat = torch.randn(80, 3, dtype=torch.float64) * torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)
    frames = assert_turned(name, "so", flat, random_orthogonal(1, determinant=determinant)[0])
    assert (frames.fallback <= 1).all()
    assert torch.allclose(frames.matrices[:, 2, 2].abs(), torch.ones(80, dtype=torch.float64))


@pytest.mark.parametrize("name", FREE)
def test_o_frames_of_a_flat_cloud_are_not_and_are_counted(name: str) -> None:
    flat = torch.randn(80, 3, dtype=torch.float64) * torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)
    assert (frames_of(name, "o", flat).fallback == 3).all()


@pytest.mark.parametrize("name", [*FREE, "gravity"])
@pytest.mark.parametrize("group", ["so", "o"])
@pytest.mark.parametrize("shape", ["line", "equal", "lattice", "vertical"])
def test_degenerate_clouds_give_finite_frames_whatever_the_order(name: str, group: str, shape: str) -> None:
    steps = torch.arange(20.0, dtype=torch.float64).unsqueeze(1)
    lattice = torch.cartesian_prod(*[torch.arange(4.0, dtype=torch.float64)] * 3)
    pos = {
        "line": steps * torch.tensor([[1.0, 2.0, -1.0]]),
        "equal": torch.ones(10, 3, dtype=torch.float64),
        "lattice": lattice,
        "vertical": steps * torch.tensor([[0.0, 0.0, 1.0]]),
    }[shape]
    frames, order = frames_of(name, group, pos), torch.randperm(len(pos))
    product = frames.matrices @ frames.matrices.transpose(1, 2)
    assert torch.allclose(product, torch.eye(3, dtype=torch.float64).expand_as(product), atol=1e-12)
    if shape != "lattice":  # there equal distances make the graph itself depend on the order
        assert torch.allclose(frames_of(name, group, pos[order]).matrices, frames.matrices[order], atol=1e-9)


def test_pca_axes_are_the_principal_ones_with_the_heavier_side_positive() -> None:
    sides = torch.tensor([[2.0, 0, 0], [2.1, 0.1, 0], [-1, 0, 0], [0, 1.0, 0.1], [0.2, 0.9, 0], [0, -0.5, 0]])
    pos = torch.cat([torch.zeros(1, 3), sides]).double()
    edges = torch.stack([torch.arange(7), torch.zeros(7, dtype=torch.long)])
    vectors = PCAFrames("o").vectors(pos, edges, pos[:1])
    assert vectors.shape == (1, 3, 3)
    assert vectors[0, 0, :2].norm() > 0.99
    assert (vectors[0, 0] @ sides.double().T).pow(3).sum() > 0


def test_neighbours_at_one_distance_count_as_one() -> None:
    pos = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 3]], dtype=torch.float64)
    edges = torch.tensor([[2, 3, 1, 0], [0, 0, 0, 0]])
    vectors = NearestNeighbourFrames("so", candidates=3).vectors(pos, edges, pos[:1])
    assert vectors[0].tolist() == [[1, 1, 0], [0, 0, 1], [0, 0, 0]]


def test_an_axis_must_be_one() -> None:
    with pytest.raises(ValueError, match="expected a finite axis that is not zero"):
        GravityFrames(axis=(0, 0, 0))
    with pytest.raises(ValueError, match="in the plane it leaves nothing to learn"):
        GravityFrames(axis=(0, 1))


@pytest.mark.parametrize("size", [1.0, 1e200, 1e-200])
def test_any_axis_is_exact_in_double_precision(size: float) -> None:
    finder = GravityFrames([size * each for each in (1.0, 2.0, 3.0)], hidden=8).double()
    frames = finder(pos := torch.randn(9, 3, dtype=torch.float64), knn_graph(pos, 4)).matrices
    axis = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64) / 14**0.5
    assert torch.allclose(frames[:, 0], axis.expand(9, 3), atol=1e-15)


@pytest.mark.parametrize("name", [*FREE, "gravity"])
@pytest.mark.parametrize("group", ["so", "o"])
def test_frames_are_differentiable_twice(name: str, group: str) -> None:
    pos, weights = torch.randn(10, 3, dtype=torch.float64), torch.randn(10, 3, 3, dtype=torch.float64)
    finder = (GravityFrames(group=group, hidden=8) if name == "gravity" else FREE[name](group, 3)).double()
    edge_index = knn_graph(pos, 5)

    def number(pos: Tensor) -> Tensor:
        return (finder(pos, edge_index).matrices * weights).sum()

    def gradient(pos: Tensor) -> Tensor:
        return torch.func.grad(number)(pos)

    step, direction = 1e-5, torch.randn(10, 3, dtype=torch.float64)
    slope = (number(pos + step * direction) - number(pos - step * direction)) / (2 * step)
    assert torch.allclose((gradient(pos) * direction).sum(), slope, rtol=1e-5, atol=1e-6)
    bend = (gradient(pos + step * direction) - gradient(pos - step * direction)) / (2 * step)
    assert torch.allclose(torch.func.jvp(gradient, (pos,), (direction,))[1], bend, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", [*FREE, "gravity"])
def test_second_derivatives_are_finite_where_points_coincide(name: str) -> None:
    pos = torch.randn(10, 3, dtype=torch.float64)
    pos = torch.cat([pos, pos[:4]])
    finder = (GravityFrames(hidden=8) if name == "gravity" else FREE[name]("so", 3)).double()
    weights = torch.randn(14, 3, 3, dtype=torch.float64)

    def number(pos: Tensor) -> Tensor:
        return (finder(pos, knn_graph(pos, 5)).matrices * weights).sum()

    assert torch.autograd.functional.hessian(number, pos).isfinite().all()


def axes_but_one(pos: Tensor) -> Tensor:
    """Two axes of the world for each point, none for the first."""
    return torch.eye(3, dtype=pos.dtype)[:2] * (torch.arange(len(pos)) > 0).view(-1, 1, 1)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (lambda pos, receivers: pos, r"expected vectors \(30, C, 3\) from Own.forward, got shape \(30, 3\)"),
        (lambda pos, receivers: [pos], r"expected vectors \(30, C, 3\) from Own.forward, got list"),
        # Where there are no vectors, here at one point, those of a wider neighbourhood are asked for.
        (lambda pos, receivers: axes_but_one(pos), r"expected vectors \(1, C, 3\) from Own.forward, got .*30, 2, 3"),
    ],
    ids=["flat", "list", "receivers"],
)
def test_vectors_of_ones_own_that_are_none_are_told(vectors: Callable, message: str) -> None:
    class Own(torch.nn.Module):
        def forward(self, pos: Tensor, edge_index: Tensor, receivers: Tensor | None = None) -> object:
            return vectors(pos, receivers)

    pos = torch.randn(30, 3, dtype=torch.float64)
    with pytest.raises(UserError, match=message):
        VectorFrames(Own())(pos, knn_graph(pos, 6))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("number", [0, -3])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda number: LearnedFrames(hidden=number), "hidden"),
        (lambda number: GravityFrames(hidden=number), "hidden"),
        (lambda number: FrameRefinement("1x1", hidden=number), "hidden"),
        (lambda number: NearestNeighbourFrames(candidates=number), "candidates"),
    ],
    ids=["learned", "gravity", "refinement", "nearest"],
)
def test_sizes_below_one_are_told(make: Callable, name: str, number: int) -> None:
    with pytest.raises(ValueError, match=f"expected a whole number {name} >= 1, got {number}"):
        make(number)
