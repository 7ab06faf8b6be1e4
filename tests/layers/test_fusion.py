"""Products of irreducible tensors: equivariant without any frame, and of as many bodies as they say."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tensorframes.layers import EdgeProduct, Fusion
from tensorframes.layers.fusion import coupling_paths
from tensorframes.testing import random_orthogonal


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("determinant", [1, -1])
def test_products_turn_with_their_factors(degree: int, determinant: int) -> None:
    product, fusion = EdgeProduct(3, degree).double(), Fusion(3, degree, bodies=4).double()
    x, edge, weight = draw(7, product.irreps.dim), draw(7, 3), draw(7, len(product.paths), 3)
    g = random_orthogonal(1, determinant=determinant, generator=torch.Generator().manual_seed(1))[0]

    def turned(y: Tensor) -> Tensor:
        return product.irreps.transform(y, g.expand(7, 3, 3))

    torch.testing.assert_close(product(turned(x), edge @ g.T, weight), turned(product(x, edge, weight)))
    for after, before in zip(fusion(turned(x)), fusion(x), strict=True):
        torch.testing.assert_close(after, turned(before))


def test_the_n_th_product_is_of_degree_n_in_its_input() -> None:
    fusion, x = Fusion(2, 2, bodies=3).double(), draw(5, 18)
    for bodies, (twice, once) in enumerate(zip(fusion(2 * x), fusion(x), strict=True), start=1):
        torch.testing.assert_close(twice, 2.0**bodies * once)
        assert once.abs().max() > 1e-3


def test_the_second_body_knows_the_angles_between_neighbours() -> None:
    fusion = Fusion(1, 2, bodies=2).double()
    product = EdgeProduct(1, 2).double()
    angles = torch.tensor([[0.0, 2.0, 4.0], [0.0, 3.0, 4.0]], dtype=torch.float64)
    edges = torch.stack([angles.cos(), angles.sin(), torch.zeros_like(angles)], dim=-1)
    start = torch.zeros(6, 9, dtype=torch.float64)
    start[:, 0] = 1
    sent = product(start, edges.view(6, 3), torch.ones(6, len(product.paths), 1, dtype=torch.float64))
    one, two = fusion(sent.view(2, 3, 9).sum(1))
    assert torch.allclose(one[0, 0], one[1, 0])  # the invariant of one body counts neighbours
    assert (two[0, 0] - two[1, 0]).abs() > 1e-3  # of two it knows their angles


def test_an_edge_of_length_zero_has_no_direction() -> None:
    product = EdgeProduct(2, 2).double()
    edge = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    out = product(draw(1, 18), edge, draw(1, len(product.paths), 2))
    out.sum().backward()
    assert out.isfinite().all()
    assert edge.grad is not None
    assert edge.grad.isfinite().all()


def test_paths_keep_natural_parity() -> None:
    assert coupling_paths(1) == [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)]
    assert len(coupling_paths(2)) == 11


@pytest.mark.parametrize("make", [lambda: Fusion(0, 1, 2), lambda: Fusion(1, 1, 0), lambda: EdgeProduct(1, -1)])
def test_counts_are_positive(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        make()
