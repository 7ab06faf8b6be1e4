"""Distances to distinct neighbours, and the scale made of them."""

import pytest
import torch

from tensorframes.geometry import cloud_scale, distinct_distances


def test_copies_do_not_count() -> None:
    cloud = torch.tensor([[0.0], [0.0], [1.0], [1.0], [1.0], [3.0]])
    assert distinct_distances(cloud, 2)[:, :].tolist() == [[1, 3], [1, 3], [1, 2], [1, 2], [1, 2], [2, 3]]


def test_where_neighbours_run_out_the_last_distance_is_repeated() -> None:
    cloud = torch.tensor([[0.0], [2.0], [7.0], [7.0]])
    batch = torch.tensor([0, 0, 1, 1])
    assert distinct_distances(cloud, 3, batch).tolist() == [[2, 2, 2], [2, 2, 2], [0, 0, 0], [0, 0, 0]]


def test_the_scale_is_the_median_distance_to_the_kth_distinct_neighbour() -> None:
    line = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert cloud_scale(line, k=1).item() == 1.5  # of 1, 1, 2, 4
    assert cloud_scale(torch.cat([line, line[:1].expand(50, -1)]), k=1).item() == 1.5


def test_the_scale_is_positive_for_every_cloud_and_one_where_all_points_are_equal() -> None:
    pair = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
    cloud = torch.cat([torch.ones(20, 3), torch.randn(30, 3), torch.zeros(1, 3), pair])
    batch = torch.tensor([0, 2, 3, 4]).repeat_interleave(torch.tensor([20, 30, 1, 2]))  # cloud 1 is empty
    scale = cloud_scale(cloud, batch)
    assert scale[[0, 1, 3, 4]].tolist() == [1.0, 1.0, 1.0, 5.0]
    assert scale[2] == cloud_scale(cloud[20:50])[0]
    assert scale.dtype == torch.float32


@pytest.mark.parametrize("factor", [1e-20, 1e20])
def test_the_scale_follows_the_unit(factor: float) -> None:
    cloud = torch.randn(100, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(cloud_scale(factor * cloud), factor * cloud_scale(cloud), rtol=1e-12, atol=0.0)
