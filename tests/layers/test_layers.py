import pytest
import torch

from tensorframes.geometry import build_hierarchy, knn
from tensorframes.layers import MLP, NeighbourhoodMoments, planes_of_levels, smallest_eigenvector
from tensorframes.testing import assert_equivariant


def spectrum(values: list[float], count: int = 1) -> torch.Tensor:
    basis = torch.linalg.qr(torch.randn(count, 3, 3, dtype=torch.float64))[0]
    return basis @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ basis.transpose(1, 2)


def test_the_eigenvector_belongs_to_the_smallest_eigenvalue() -> None:
    matrices = spectrum([0.1, 1.0, 2.0], 5)
    n, values = smallest_eigenvector(matrices)
    assert torch.allclose((matrices @ n.unsqueeze(-1)).squeeze(-1), 0.1 * n, atol=1e-12)
    assert torch.allclose(values, torch.tensor([0.1, 1.0, 2.0], dtype=torch.float64).expand(5, 3))


def test_its_gradient_is_that_of_finite_differences() -> None:
    matrix = spectrum([0.1, 1.0, 2.0])
    direction = torch.randn(1, 3, 3, dtype=torch.float64)
    direction = direction + direction.transpose(1, 2)
    target = torch.randn(3, dtype=torch.float64)

    def axis_along(m: torch.Tensor) -> torch.Tensor:
        return (smallest_eigenvector(m)[0] @ target).square().sum()  # free of the sign

    variable = matrix.clone().requires_grad_()
    axis_along(variable).backward()
    slope = (axis_along(matrix + 1e-6 * direction) - axis_along(matrix - 1e-6 * direction)) / 2e-6
    assert torch.allclose((variable.grad * direction).sum(), slope, rtol=1e-5)


@pytest.mark.parametrize("values", [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
def test_its_gradient_is_finite_where_eigenvalues_meet(values: list[float]) -> None:
    matrix = spectrum(values).requires_grad_()
    smallest_eigenvector(matrix)[0].sum().backward()
    assert matrix.grad.isfinite().all()


def test_moments_are_equivariant_and_free_of_scale_but_for_the_density() -> None:
    moments = NeighbourhoodMoments()
    pos = torch.randn(40, 3, dtype=torch.float64)
    assert_equivariant(lambda p: moments(p, knn(p, 8)), pos, moments.reps)
    small, large = moments(pos, knn(pos, 8)), moments(10 * pos, knn(10 * pos, 8))
    assert torch.allclose(small[:, 1:], large[:, 1:])
    assert torch.allclose(large[:, 0] - small[:, 0], torch.full((40,), 10.0, dtype=torch.float64).log())


def test_moments_of_coinciding_points_are_finite() -> None:
    moments = NeighbourhoodMoments()
    assert moments(torch.ones(4, 3), torch.zeros(4, 2, dtype=torch.long)).isfinite().all()


def test_mlp_has_the_widths_asked_for() -> None:
    assert MLP([4, 8, 2], norm="layer")(torch.randn(5, 4)).shape == (5, 2)
    assert (MLP([4, 6], activation=torch.nn.ReLU, last_activation=True)(torch.randn(50, 4)) >= 0).all()
    with pytest.raises(ValueError, match="at least two widths"):
        MLP([4])
    for widths in ([4, 0, 2], [4, -3]):
        with pytest.raises(ValueError, match="expected widths of at least 1"):
            MLP(widths)


def noisy_plane(noise: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    pos = 40 * torch.rand(1600, 3, generator=generator, dtype=torch.float64)
    pos[:, 2] = noise * torch.randn(1600, generator=generator, dtype=torch.float64)
    return pos


def test_planes_of_levels_are_the_plane_of_flat_points_and_see_through_noise_at_coarse_levels() -> None:
    batch = torch.zeros(1600, dtype=torch.long)
    flat = planes_of_levels(build_hierarchy(noisy_plane(0), batch, [1.5, 3.0, 6.0]), 4)
    assert flat.shape == (1600, 4, 3, 3)
    expected = torch.zeros(3, 3, dtype=torch.float64)
    expected[2, 2] = 1
    assert torch.allclose(flat, expected.expand_as(flat))
    noisy = planes_of_levels(build_hierarchy(noisy_plane(1.0), batch, [1.5, 3.0, 6.0]), 4)
    upright = noisy[:, :, 2, 2].mean(0)
    assert upright[0] < 0.7
    assert upright[3] > 0.95


def test_planes_of_levels_are_tensors_and_as_many_as_there_are() -> None:
    pos, batch = noisy_plane(0.5)[:300], torch.zeros(300, dtype=torch.long)
    assert_equivariant(
        lambda p: planes_of_levels(build_hierarchy(p, batch, [1.5, 3.0]), 3)[:, 2].flatten(1), pos, "1x2"
    )
    assert planes_of_levels(build_hierarchy(pos, batch, [1.5]), 4).shape[1] == 2
