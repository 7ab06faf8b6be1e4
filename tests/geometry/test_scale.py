"""Distances to distinct neighbours, and the scale made of them."""

import numpy as np
import pytest
import torch

from tensorframes.geometry import cloud_scale, distinct_distances, sampled_scale, thinned_rows
from tensorframes.testing import random_orthogonal


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


def test_a_sample_of_the_rows_gives_about_the_scale_and_all_rows_give_it() -> None:
    pos = torch.randn(4000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    whole = float(cloud_scale(pos))
    assert sampled_scale(pos, torch.arange(3999)) == pytest.approx(float(cloud_scale(pos[:3999])), rel=1e-2)
    some = torch.from_numpy(thinned_rows(pos.numpy(), 1000))
    assert sampled_scale(pos, some) == pytest.approx(whole, rel=0.03)
    assert sampled_scale(torch.zeros(1, 3), torch.zeros(1, dtype=torch.long)) == 1.0


def test_thinned_rows_are_the_same_points_whatever_the_order() -> None:
    pos = torch.randn(500, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).numpy()
    order = np.random.default_rng(0).permutation(500)
    g = random_orthogonal(1)[0].numpy()
    kept = thinned_rows(pos, 40)
    assert len(set(kept.tolist())) == 40
    assert set(order[thinned_rows((pos @ g.T + 2)[order], 40)].tolist()) == set(kept.tolist())
    np.testing.assert_array_equal(thinned_rows(pos, 500), np.arange(500))
