"""Which points survive depends on distances alone; an explicit radius graph gives the same answer."""

import time
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tensorframes.geometry import cloud_scale, independent_set, intrinsic_priority, radius_graph


def _sphere(points: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(points, 3, generator=generator, dtype=torch.float64), dim=1)


def _greedy(pos: Tensor, radius: float, priority: Tensor) -> list[int]:
    """By definition: from the highest priority down, ties at once, each point with no selected one in the radius."""
    near = torch.zeros(len(pos), len(pos), dtype=torch.bool)
    near[tuple(radius_graph(pos, radius, method="brute"))] = True
    chosen = torch.zeros(len(pos), dtype=torch.bool)
    for level in priority.unique().flip(0):
        chosen |= (priority == level) & ~(near & chosen).any(1)
    return chosen.nonzero().squeeze(1).tolist()


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
@pytest.mark.parametrize("radius", [0.01, 0.4, 1.5, 50.0])
@pytest.mark.parametrize("levels", [4, 10**9])
@pytest.mark.parametrize("method", ["kdtree", "rounds"])
def test_it_is_the_greedy_set_of_the_radius_graph(dim: int, radius: float, levels: int, method: str) -> None:
    generator = torch.Generator().manual_seed(dim)
    cloud = torch.randn(150, dim, generator=generator, dtype=torch.float64)
    cloud[:40] *= 1e-3
    cloud[-1] *= 1e6
    cloud[50:60] = cloud[60:70]
    for pos in (cloud, (2 * cloud).round()):
        priority = torch.randint(levels, (150,), generator=generator)
        assert independent_set(pos, radius, priority=priority, method=method).tolist() == _greedy(pos, radius, priority)


@pytest.mark.parametrize("method", ["kdtree", "rounds"])
def test_points_of_equal_priority_do_not_drop_each_other(method: str) -> None:
    """The second of four points on a line is beaten for a while by the third, which the fourth drops."""
    line = torch.arange(4.0).unsqueeze(1)
    chosen = independent_set(line, 1.0, priority=torch.tensor([0.0, 0.0, 1.0, 2.0]), method=method)
    assert chosen.tolist() == [0, 1, 3]
    for seed in range(60):
        generator = torch.Generator().manual_seed(seed)
        pos = torch.randint(6, (40, 2), generator=generator).double()
        priority = torch.randint(1 + seed % 7, (40,), generator=generator)
        selected = independent_set(pos, 1.0 + seed % 3 / 2, priority=priority, method=method)
        assert selected.tolist() == _greedy(pos, 1.0 + seed % 3 / 2, priority)


def test_both_methods_choose_the_same_points_of_voxels() -> None:
    pos = torch.unique((20 * _sphere(40_000)).round(), dim=0)
    assert len(intrinsic_priority(pos).unique()) < len(pos) / 10
    chosen = independent_set(pos, 1.5 * cloud_scale(pos), method="kdtree")
    assert torch.equal(chosen, independent_set(pos, 1.5 * cloud_scale(pos), method="rounds"))


def test_chains_longer_than_the_rounds_are_independent_too() -> None:
    """A hundred points of ever higher priority: 32 rounds do not reach all of them. The points of a second cloud, some
    of them copies, are as they would be without."""
    line, rising = torch.arange(100.0).unsqueeze(1), torch.arange(100)
    assert independent_set(line, 1.0, priority=rising, method="kdtree").tolist() == list(range(1, 100, 2))
    assert independent_set(line, 1.0, priority=rising, method="rounds").tolist() == list(range(1, 100, 2))
    both, batch = torch.cat([line, line.repeat_interleave(2, dim=0)]), torch.tensor([0] * 100 + [2] * 200)
    given = torch.tensor([1.0, 1.0, 2.0]), batch, torch.cat([rising, rising.repeat_interleave(2) // 3])
    assert torch.equal(independent_set(both, *given, "rounds"), independent_set(both, *given, "kdtree"))


def test_both_methods_choose_the_same_points_of_a_large_cloud() -> None:
    cloud, batch = torch.cat([_sphere(30_000), 3 * _sphere(2000, 1)]), torch.tensor([0] * 30_000 + [1] * 2000)
    radius = 2 * cloud_scale(cloud, batch)
    chosen = independent_set(cloud, radius, batch, method="kdtree")
    assert torch.equal(chosen, independent_set(cloud, radius, batch, method="rounds"))
    assert 1500 < len(chosen) < 6000


def test_survivors_are_apart_and_cover_the_rest_at_every_level() -> None:
    cloud = _sphere(3000)
    scale = cloud_scale(cloud)
    rows, priority = torch.arange(3000), intrinsic_priority(cloud)
    for level in range(3):
        radius = 1.5 * 2**level * scale.item()
        chosen = rows[independent_set(cloud[rows], radius, priority=priority[rows])]
        distance = torch.cdist(cloud[rows], cloud[chosen], compute_mode="donot_use_mm_for_euclid_dist")
        assert distance.amin(1).max() <= radius
        assert torch.pdist(cloud[chosen]).min() > radius
        assert 0.1 < len(chosen) / len(rows) < 0.4
        rows = chosen


def test_the_order_of_rows_does_not_matter() -> None:
    cloud = torch.cat([_sphere(1500), _sphere(1500)[:40]])  # copies too
    order = torch.randperm(len(cloud), generator=torch.Generator().manual_seed(1))
    chosen = independent_set(cloud, 0.2)
    assert torch.equal(order[independent_set(cloud[order], 0.2)].sort().values, chosen)


@pytest.mark.parametrize("seed", range(4))
def test_turning_mirroring_and_shifting_do_not_matter(seed: int, orthogonal: Callable[[int, int], Tensor]) -> None:
    cloud = _sphere(3000, seed) * torch.tensor([1.0, 2.0, 0.5])
    moved = cloud @ orthogonal(seed, 3).T + torch.tensor([3.0, -4.0, 5.0])
    chosen = independent_set(cloud, 1.5 * cloud_scale(cloud))
    assert torch.equal(independent_set(moved, 1.5 * cloud_scale(moved)), chosen)


def test_rounding_to_float32_changes_hardly_a_survivor(orthogonal: Callable[[int, int], Tensor]) -> None:
    changed = survivors = 0
    for seed in range(5):
        cloud = _sphere(5000, seed).float()
        moved = cloud @ orthogonal(seed, 3).float().T
        chosen = set(independent_set(cloud, 1.5 * cloud_scale(cloud)).tolist())
        changed += len(chosen.symmetric_difference(independent_set(moved, 1.5 * cloud_scale(moved)).tolist()))
        survivors += len(chosen)
    assert changed <= 1e-3 * survivors


def test_a_batch_of_clouds_is_each_cloud_alone() -> None:
    clouds = [_sphere(700), 5.0 * _sphere(300, 1), torch.zeros(3, 3, dtype=torch.float64), _sphere(1)]
    pos, first = torch.cat(clouds), 0
    batch = torch.repeat_interleave(torch.arange(4), torch.tensor([len(cloud) for cloud in clouds]))
    radius = torch.tensor([0.2, 1.0, 0.5, 0.1])
    chosen = independent_set(pos, radius, batch)
    priority = intrinsic_priority(pos, batch)
    for number, cloud in enumerate(clouds):
        inside = chosen[(chosen >= first) & (chosen < first + len(cloud))] - first
        assert torch.equal(inside, independent_set(cloud, radius[number].item()))
        assert torch.equal(priority[first : first + len(cloud)], intrinsic_priority(cloud))
        first += len(cloud)


def test_a_point_far_away_has_no_say() -> None:
    cloud = _sphere(4000)
    scale, priority = cloud_scale(cloud), intrinsic_priority(cloud)
    half = (cloud[:, 0] > -0.2).nonzero().squeeze(1)
    whole = independent_set(cloud, 1.5 * scale, priority=priority)
    tile = half[independent_set(cloud[half], 1.5 * scale, priority=priority[half])]
    inner = (cloud[:, 0] > 0.4).nonzero().squeeze(1)
    assert torch.equal(whole[torch.isin(whole, inner)], tile[torch.isin(tile, inner)])


def test_equal_points_and_ties_survive_together() -> None:
    assert independent_set(torch.ones(1000, 3), 0.5).tolist() == list(range(1000))
    square = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert independent_set(square, 1.1).tolist() == [0, 1, 2, 3]


def test_the_priority_sees_neither_the_unit_nor_copies() -> None:
    cloud = _sphere(400)
    priority = intrinsic_priority(cloud)
    torch.testing.assert_close(intrinsic_priority(64.0 * cloud), priority, rtol=0.0, atol=1e-9)
    torch.testing.assert_close(intrinsic_priority(torch.cat([cloud, cloud[:9]]))[:400], priority, rtol=0.0, atol=1e-9)
    assert len(priority.unique()) == 400


@pytest.mark.parametrize("method", ["kdtree", "rounds"])
def test_half_of_the_points_in_a_tiny_cluster_stay_linear(method: str) -> None:
    cloud = _sphere(40_000)
    cloud[:20_000] *= 1e-4
    begin = time.perf_counter()
    chosen = independent_set(cloud, 0.03, method=method)  # its radius graph has 400 million edges
    assert time.perf_counter() - begin < 10.0
    assert (chosen < 20_000).sum() == 1


def test_mistakes_are_named() -> None:
    cloud = _sphere(5)
    assert independent_set(cloud[:0], 1.0).tolist() == []
    with pytest.raises(ValueError, match="expected a positive, finite radius, got 0"):
        independent_set(cloud, 0.0)
    with pytest.raises(ValueError, match="expected method auto, kdtree or rounds, got 'luby'"):
        independent_set(cloud, 1.0, method="luby")
    with pytest.raises(ValueError, match=r"expected priority of shape \(5,\)"):
        independent_set(cloud, 1.0, priority=torch.zeros(4))
    with pytest.raises(ValueError, match="got NaN"):
        independent_set(cloud, 1.0, priority=torch.full((5,), torch.nan))
    assert len(independent_set(cloud, 1e-30)) == 5
