"""The support of exact planes: of facets, and of planes that hold points because these are sampled regularly."""

import pytest
import torch
from torch import Tensor

from tensorframes.geometry import nearest_neighbours
from tensorframes.normals.support import Support, support
from tensorframes.testing import random_orthogonal

TOLERANCE = 1e-4


def of_plane(pos: Tensor, point: int, *normals: list[float]) -> Support:
    """The support of planes through one of the points, its 31 nearest looked at."""
    table = nearest_neighbours(pos, torch.zeros(len(pos), dtype=torch.long), 32)[point, 1:]
    edge = pos[table] - pos[point]
    unit = edge[:15].square().sum(-1).mean().sqrt()
    planes = torch.nn.functional.normalize(torch.tensor(normals, dtype=pos.dtype), dim=-1)
    return support((edge / unit).unsqueeze(0), planes.unsqueeze(0), TOLERANCE)


def grid(noise: float = 0.0) -> Tensor:
    """An elevation grid, 21 x 21, the middle one number 220."""
    x, y = torch.meshgrid(torch.arange(-10.0, 11), torch.arange(-10.0, 11), indexing="ij")
    z = 0.02 * (x.square() + 2 * y.square()) + noise * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    return torch.stack([x, y, z], dim=-1).view(-1, 3).double()


def roof(count: int = 400) -> Tensor:
    """Two random facets that meet at an angle, the first point near the ridge of the first."""
    flat = torch.rand(count, 2, generator=torch.Generator().manual_seed(2)).double() * 2 - 1
    flat[0] = torch.tensor([0.06, 0.0])
    return torch.stack([flat[:, 0], flat[:, 1], -(-flat[:, 0]).clamp_min(0)], dim=-1)


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.3])
def test_planes_that_cross_a_lattice_are_not_valid(noise: float) -> None:
    across = of_plane(grid(noise), 220, [1, 0, 0], [0, 1, 0], [1, 1, 0])
    assert (across.validity() == 0).all()
    assert (across.two_sidedness > 1).all()
    if noise < 0.1:
        assert (across.isotropy < 0.1).all()


def test_a_facet_is_valid_beside_its_edge_too() -> None:
    near_edge = of_plane(roof(), 0, [0, 0, 1])
    assert near_edge.validity().item() == 1
    assert near_edge.two_sidedness.item() == 0
    assert 0.5 < near_edge.inlier_ratio.item() < 1


def test_a_flat_lattice_is_a_facet() -> None:
    flat = grid() * torch.tensor([1.0, 1.0, 0.0])
    found = of_plane(flat, 220, [0, 0, 1], [1, 0, 0])
    assert found.validity()[0, 0] == 1
    assert found.validity()[0, 1] == 0


def test_planes_of_scan_lines_are_not_valid() -> None:
    """Rings of a spinning sensor, 10 times as far apart as their points, noise along the ray."""
    angle, height = torch.meshgrid(torch.arange(-20, 21) * 0.004, torch.arange(-2, 3) * 0.04, indexing="ij")
    ray = torch.stack([angle.cos(), angle.sin(), height], dim=-1).view(-1, 3).double()
    distance = 1 / ray[:, 0] + 0.002 * torch.randn(len(ray), generator=torch.Generator().manual_seed(3)).double()
    pos = distance.unsqueeze(-1) * ray
    middle = len(pos) // 2  # in the ring of height 0, itself a plane
    across = of_plane(pos, middle, [0, 0, 1], [0, 1, 0])
    assert (across.validity() == 0).all()
    assert (across.isotropy < 0.05).all()


def test_planes_with_as_many_inliers_compete() -> None:
    """The lattice of a solid: three planes through each point, none of them more a facet than the others."""
    axis = torch.arange(-3.0, 4).double()
    solid = torch.cartesian_prod(axis, axis, axis)
    found = of_plane(solid, len(solid) // 2, [1, 0, 0], [0, 1, 0], [0, 0, 1])
    assert (found.competition > 0.6).all()
    assert (found.validity() == 0).all()


def test_support_is_invariant() -> None:
    turn = random_orthogonal(1, generator=torch.Generator().manual_seed(5))[0]
    pos, planes = grid(0.05), torch.eye(3, dtype=torch.float64)
    before = of_plane(pos, 220, *planes.tolist())
    after = of_plane(pos @ turn.T, 220, *(planes @ turn.T).tolist())
    for one, other in zip(before.features(), after.features(), strict=True):
        assert torch.allclose(one, other, atol=1e-9)


def test_repeated_points_do_not_count() -> None:
    edge = torch.zeros(1, 31, 3, dtype=torch.float64)
    found = support(edge, torch.tensor([[[0.0, 0.0, 1.0]]], dtype=torch.float64), TOLERANCE)
    assert all(bool(values.isfinite().all()) for values in vars(found).values())
    assert found.validity().item() == 0
