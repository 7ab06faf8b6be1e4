"""Irreducible Cartesian tensors and their products."""

import pytest
import torch

from tensorframes.reps import TensorReps, irreducible_part, irreducible_product
from tensorframes.reps.harmonics import cartesian_basis
from tensorframes.testing import random_orthogonal


def drawn(degree: int, count: int = 6) -> torch.Tensor:
    return irreducible_part(torch.randn(count, *(3,) * degree, dtype=torch.float64), degree)


def turned(x: torch.Tensor, degree: int, g: torch.Tensor, pseudo: bool = False) -> torch.Tensor:
    reps = TensorReps(f"1x{degree}{'p' if pseudo else ''}")
    return reps.transform(x.reshape(len(x), -1), g.expand(len(x), 3, 3)).view_as(x)


@pytest.mark.parametrize("degree", range(5))
def test_the_irreducible_part_is_symmetric_traceless_and_its_own(degree: int) -> None:
    x = drawn(degree)
    assert torch.allclose(irreducible_part(x, degree), x)
    assert x.abs().max() > 0.1
    for index in range(1, degree):
        assert torch.allclose(x.transpose(index, index + 1), x)
        assert x.diagonal(dim1=index, dim2=index + 1).sum(-1).abs().max() < 1e-12


def test_the_irreducible_part_of_a_matrix_is_the_textbooks() -> None:
    m = torch.randn(3, 3, dtype=torch.float64)
    expected = (m + m.T) / 2 - m.trace() / 3 * torch.eye(3, dtype=torch.float64)
    assert torch.allclose(irreducible_part(m, 2), expected)


TRIPLES = [(a, b, c) for a in range(4) for b in range(4) for c in range(abs(a - b), min(a + b, 4) + 1)]


@pytest.mark.parametrize(("a", "b", "c"), TRIPLES)
def test_products_are_equivariant_irreducible_and_not_nothing(a: int, b: int, c: int) -> None:
    x, y, g = drawn(a), drawn(b), random_orthogonal(1, determinant=-1)[0]
    product = irreducible_product(x, y, a, b, c)
    assert product.shape == (6, *(3,) * c)
    assert product.abs().max() > 1e-3
    assert torch.allclose(irreducible_part(product, c), product, atol=1e-12)
    pseudo = (a + b - c) % 2 == 1
    again = irreducible_product(turned(x, a, g), turned(y, b, g), a, b, c)
    assert torch.allclose(again, turned(product, c, g, pseudo), atol=1e-12)


def test_products_of_vectors_are_the_textbooks() -> None:
    u, v = torch.randn(2, 5, 3, dtype=torch.float64)
    assert torch.allclose(irreducible_product(u, v, 1, 1, 0), (u * v).sum(-1))
    assert torch.allclose(irreducible_product(u, v, 1, 1, 1), torch.linalg.cross(u, v))
    outer = (u.unsqueeze(-1) * v.unsqueeze(-2) + v.unsqueeze(-1) * u.unsqueeze(-2)) / 2
    trace = (u * v).sum(-1).view(-1, 1, 1) / 3 * torch.eye(3, dtype=torch.float64)
    assert torch.allclose(irreducible_product(u, v, 1, 1, 2), outer - trace)


@pytest.mark.parametrize("degree", range(5))
def test_cartesian_and_spherical_tensors_are_the_same_representation(degree: int) -> None:
    from tensorframes.reps.wigner import wigner_matrices

    x, g = drawn(degree), random_orthogonal(1)[0]
    spherical = x.reshape(6, -1) @ cartesian_basis(degree)
    again = turned(x, degree, g).reshape(6, -1) @ cartesian_basis(degree)
    assert torch.allclose(again, spherical @ wigner_matrices(degree, g)[degree].T, atol=1e-12)


def test_impossible_products_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a degree from 1 to 3 for 2 x 1, got 0"):
        irreducible_product(drawn(2), drawn(1), 2, 1, 0)
