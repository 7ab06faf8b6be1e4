"""The worked example: weights learned in the plane are equivariant, and good, in spaces they have never seen."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tensorframes.layers import AnyDimensionFit, principal_axes
from tensorframes.layers.any_dimension import scatter
from tensorframes.testing import assert_equivariant

EXAMPLE = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "examples" / "curve_tangents.py")))


@pytest.fixture(scope="module")
def network() -> AnyDimensionFit:
    return EXAMPLE.train(steps=80)


@pytest.mark.parametrize("d", [2, 3, 4, 5])
def test_what_was_learned_in_the_plane_holds_in_every_dimension(network: AnyDimensionFit, d: int) -> None:
    own, pca = EXAMPLE.errors(network, d, points=256, noise=0.5)
    assert own < 0.8 * pca


def test_any_number_of_points(network: AnyDimensionFit) -> None:
    errors = [EXAMPLE.errors(network, 3, points, noise=0.5)[0] for points in (128, 256, 1024)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 10


@pytest.mark.parametrize("d", [2, 3, 5])
def test_matrices_turn_with_the_cloud(d: int) -> None:
    torch.manual_seed(0)
    network = AnyDimensionFit(channels=3, layers=2, hidden=8).double()
    pos = torch.randn(40, d, dtype=torch.float64)
    assert_equivariant(lambda pos: network(pos, EXAMPLE.neighbours(pos)).flatten(1), pos, "1x2")


def test_untrained_it_is_close_to_principal_components() -> None:
    torch.manual_seed(0)
    own, pca = EXAMPLE.errors(AnyDimensionFit(), 3, points=512, noise=0.5)
    assert own == pytest.approx(pca, rel=0.15)


def test_points_that_coincide_give_finite_numbers_and_gradients() -> None:
    pos = torch.zeros(8, 3, requires_grad=True)
    network = AnyDimensionFit(channels=2, layers=1, hidden=4)
    matrices = network(pos, torch.arange(8).expand(8, 8))
    matrices.sum().backward()
    assert matrices.isfinite().all()
    assert pos.grad is not None
    assert pos.grad.isfinite().all()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in network.parameters())


def test_a_straight_line_gives_its_direction_and_finite_gradients() -> None:
    pos = torch.arange(40.0).unsqueeze(1) * torch.tensor([[1.0, 2.0, 2.0]])
    network = AnyDimensionFit(channels=2, layers=1, hidden=4)
    axes = principal_axes(network(pos, EXAMPLE.neighbours(pos)))
    assert torch.allclose((axes @ torch.tensor([1.0, 2.0, 2.0])).abs(), torch.full((40,), 3.0), atol=1e-4)
    axes.square().sum(-1).sum().add(axes[:, 0].sum()).backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in network.parameters())


def test_the_gradient_of_an_axis_is_that_of_the_eigenvector() -> None:
    torch.manual_seed(0)
    a = torch.randn(4, 4, dtype=torch.float64)
    matrix, change = (a @ a.T).unsqueeze(0).requires_grad_(), torch.randn(4, 4, dtype=torch.float64)
    change, target = (change + change.T).unsqueeze(0), torch.randn(4, dtype=torch.float64)
    (found,) = torch.autograd.grad((principal_axes(matrix) @ target).sum(), matrix)
    exact = torch.autograd.functional.jvp(lambda m: torch.linalg.eigh(m)[1][..., -1], matrix.detach(), change)[1]
    step = torch.autograd.functional.jvp(principal_axes, matrix.detach(), change)[1]
    torch.testing.assert_close(step * (step * exact).sum().sign(), exact, rtol=1e-6, atol=1e-8)
    assert found.isfinite().all()


def test_mixed_precision_rounds_neither_scatter_matrices_nor_the_derivatives_of_axes() -> None:
    edge, weight = torch.randn(20, 6, 3), torch.rand(20, 6, 1)
    found = []
    for mixed in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            matrices = scatter(edge, weight).requires_grad_()
            axes = principal_axes(matrices)
        found.append((matrices, *torch.autograd.grad(axes.sum(), matrices)))
    for exact, rounded in zip(*found, strict=True):
        assert torch.equal(exact, rounded)
