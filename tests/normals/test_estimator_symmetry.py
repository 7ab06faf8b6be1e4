"""The whole network: equivariance, what does not matter, and where symmetry allows no answer."""

import pytest
import torch

from tensorframes.normals import (
    VectorHead,
)
from tensorframes.testing import assert_equivariant, random_orthogonal
from tests.normals.small import axes_agree, estimator, old_head, surface, volume


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


@pytest.mark.parametrize("group", ["so", "o"])
@pytest.mark.parametrize("count", [4, 5, 7, 12])
def test_small_clouds_are_equivariant_though_their_coarse_levels_are_points_and_lines(group: str, count: int) -> None:
    network = estimator(group)
    cloud = torch.randn(count, 3, generator=torch.Generator().manual_seed(count), dtype=torch.float64)
    assert_equivariant(lambda pos: network(pos).normal, cloud, "1x1", unoriented=True, tolerance=1e-8)
