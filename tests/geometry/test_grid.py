"""Cells where points lie farther apart than any key could count."""

import pytest
import torch

from tensorframes.geometry import independent_set
from tensorframes.geometry.brute import brute_pairs
from tensorframes.geometry.grid import Grid, grid_pairs

BATCH = torch.repeat_interleave(torch.arange(3), 200)
RADIUS = torch.tensor([0.3, 1e-12, 0.5], dtype=torch.float64)


def clouds() -> torch.Tensor:
    """Three clouds in their own units, not in each other's way though they overlap."""
    points = torch.randn(600, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    points[200:400] *= 1e-12
    return points


def with_far_rows() -> torch.Tensor:
    """The same with sentinels, some of them copies and near one another."""
    points = clouds()
    points[[3, 77, 150], 0] = 1e15
    points[5] = points[78] = torch.tensor([1e15, -1e20, 1e300], dtype=torch.float64)
    points[410] = -1e15
    points[411] = points[410] + 0.125
    return points


@pytest.mark.parametrize("make", [clouds, with_far_rows])
def test_pairs_are_those_of_brute_force_however_far(make) -> None:
    points = make()
    expected = brute_pairs(points, BATCH, RADIUS)
    assert expected.shape[1] > 1000
    assert torch.equal(grid_pairs(points, BATCH, RADIUS), expected)


def test_far_rows_do_not_change_which_others_are_kept() -> None:
    cloud = clouds()[:200]
    priority = torch.rand(200, generator=torch.Generator().manual_seed(1))
    selected = independent_set(cloud, 0.4, priority=priority)
    far = torch.tensor([[1e15, 0, 0], [-1e18, 1e18, 0]], dtype=torch.float64)
    priority = torch.cat([priority, torch.zeros(2)])
    both = independent_set(torch.cat([cloud, far]), 0.4, priority=priority)
    assert both.tolist() == [*selected.tolist(), 200, 201]


def test_points_of_a_cell_stay_together_when_stretches_are_shortened() -> None:
    points = torch.tensor([[0.25], [0.75], [1.5], [1e15], [1e15 + 0.125], [1e15 + 40]], dtype=torch.float64)
    grid = Grid(points, torch.zeros(6, dtype=torch.long), torch.ones(1, dtype=torch.float64))
    assert grid.cell.tolist() == [0, 0, 1, 2, 2, 3]
