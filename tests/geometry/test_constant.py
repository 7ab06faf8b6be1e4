"""Neighbours within torch.func's transformations."""

import pytest
import torch
from torch import Tensor

from tensorframes.geometry import knn_graph, radius_graph


def cloud() -> Tensor:
    return torch.randn(9, 3, dtype=torch.float64)


def energy(pos: Tensor) -> Tensor:
    edges = torch.cat([knn_graph(pos, 3), radius_graph(pos, 1.5)], dim=1)
    return (1 + (pos[edges[0]] - pos[edges[1]]).square().sum(-1)).log().sum()


def test_graphs_are_constants_of_every_derivative() -> None:
    pos, direction = cloud(), torch.randn(9, 3, dtype=torch.float64)
    leaf = pos.clone().requires_grad_()
    (expected,) = torch.autograd.grad(energy(leaf), leaf)
    assert not knn_graph(leaf, 3).requires_grad
    assert torch.equal(torch.func.grad(energy)(pos), expected)
    assert torch.allclose(torch.func.jvp(energy, (pos,), (direction,))[1], (expected * direction).sum())
    assert torch.allclose(torch.func.hessian(energy)(pos), torch.autograd.functional.hessian(energy, pos))


def test_points_of_vmap_are_told() -> None:
    with pytest.raises(ValueError, match=r"expected one set of points, got several by torch.func.vmap"):
        torch.func.vmap(lambda pos: knn_graph(pos, 3))(torch.stack([cloud(), cloud()]))
