"""Levels of a cloud: their graphs, and where the points of a coarse level lie."""

import pytest
import torch

from tensorframes.geometry import build_hierarchy, coarsest_rows, table_edges
from tensorframes.geometry.hierarchy import barycentres
from tensorframes.testing import random_orthogonal


def noisy_plane(count: int = 2000, noise: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    pos = torch.rand(count, 3, generator=generator, dtype=torch.float64) * count**0.5
    pos[:, 2] = noise * torch.randn(count, generator=generator, dtype=torch.float64)
    return pos


def one(pos: torch.Tensor) -> torch.Tensor:
    return torch.zeros(len(pos), dtype=torch.long)


def test_levels_shrink_and_their_tables_point_where_they_should() -> None:
    pos = noisy_plane()
    hierarchy = build_hierarchy(pos, one(pos), [1.5, 3.0, 6.0], neighbours=9)
    sizes = [len(level) for level in hierarchy.levels]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 100
    for fine, coarse in zip(hierarchy.levels, hierarchy.levels[1:], strict=False):
        assert coarse.below.shape == (len(coarse), 9)
        assert coarse.below.max() < len(fine)
        assert (coarse.neighbours[:, 0] == torch.arange(len(coarse))).all()
        assert torch.isin(coarse.rows, fine.rows).all()
    for table, fine, coarse in zip(hierarchy.above, hierarchy.levels, hierarchy.levels[1:], strict=False):
        assert table.shape == (len(fine), 3)
        nearest = torch.cdist(fine.pos, coarse.pos).argmin(1)
        assert torch.equal(table[:, 0], nearest)


def test_noise_averages_out_on_the_way_up() -> None:
    pos = noisy_plane()
    levels = build_hierarchy(pos, one(pos), [1.5, 3.0, 6.0]).levels
    heights = [level.pos[:, 2].std().item() for level in levels]
    assert heights[2] < 0.6 * heights[0]
    assert heights[3] < 0.3 * heights[0]


def test_a_flat_cloud_stays_flat_and_a_cloud_of_few_points_keeps_them_apart() -> None:
    flat = noisy_plane(300, noise=0)
    assert all((level.pos[:, 2] == 0).all() for level in build_hierarchy(flat, one(flat), [1.5, 3.0]).levels)
    few = torch.tensor([[0.0, 0, 0], [4, 0, 0], [0, 4, 0], [4, 4, 1]], dtype=torch.float64)
    assert torch.equal(build_hierarchy(few, one(few), [1.5], neighbours=4).levels[1].pos, few)


def test_levels_turn_with_the_cloud_and_ignore_the_order_of_its_points() -> None:
    pos, g = noisy_plane(600), random_orthogonal(1, determinant=-1)[0]
    order = torch.randperm(600, generator=torch.Generator().manual_seed(0))
    plain = build_hierarchy(pos, one(pos), [1.5, 3.0]).levels[-1]
    other = build_hierarchy(pos[order] @ g.T, one(pos), [1.5, 3.0]).levels[-1]
    place = order[other.rows].argsort()
    assert torch.equal(order[other.rows][place], plain.rows)
    assert torch.allclose(other.pos[place], plain.pos @ g.T)


def test_a_barycentre_is_the_mean_of_what_is_within_the_cutoff() -> None:
    pos = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [9, 9, 9]], dtype=torch.float64)
    table = torch.tensor([[0, 1, 2, 3]])
    (centre,) = barycentres(pos, pos[:1], table, 2.0)
    assert centre[0] == centre[1] > 0
    assert centre[2] == 0
    far = barycentres(pos + torch.tensor([0.0, 0, 0, 50]).unsqueeze(1), pos[:1], table, 2.0)
    assert torch.equal(far[0], centre)
    assert torch.equal(barycentres(pos, pos[:1], table, 0.5), pos[:1])


def test_which_of_two_points_at_the_same_distance_is_in_the_table_does_not_move_a_barycentre() -> None:
    pos = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 2]], dtype=torch.float64)
    one, other = (barycentres(pos, pos[:1], torch.tensor([table]), 9.0) for table in ([0, 1, 2], [0, 1, 3]))
    assert torch.equal(one, other)
    assert one[0, 0] > 0


def test_radii_must_increase() -> None:
    with pytest.raises(ValueError, match="expected increasing radii"):
        build_hierarchy(torch.zeros(3, 3), torch.zeros(3, dtype=torch.long), [3.0, 1.5])


def test_edges_of_a_table_are_sorted_by_receiver() -> None:
    assert table_edges(torch.tensor([[4, 5], [6, 7]])).tolist() == [[4, 5, 6, 7], [0, 0, 1, 1]]


def test_the_coarsest_rows_are_those_of_the_whole_hierarchy() -> None:
    pos = noisy_plane(500)
    for radii in ((), (1.5,), (1.5, 3.0, 6.0)):
        assert torch.equal(
            coarsest_rows(pos, one(pos), radii, 9), build_hierarchy(pos, one(pos), radii, 9).levels[-1].rows
        )


def test_a_hierarchy_moves_as_frames_do() -> None:
    pos = torch.randn(40, 3, dtype=torch.float64)
    hierarchy = build_hierarchy(pos, torch.zeros(40, dtype=torch.long), [1.0])
    moved = hierarchy.to("meta", torch.float32)
    tensors = [*moved.above, moved.knn_index]
    for level in moved.levels:
        assert level.pos.dtype == torch.float32
        tensors += [level.pos, level.batch, level.rows, level.neighbours, level.below]
    assert {each.device.type for each in tensors} == {"meta"}
    assert {each.dtype for each in tensors} == {torch.float32, torch.int64}
    assert hierarchy.to(torch.float32).levels[1].pos.dtype == torch.float32
