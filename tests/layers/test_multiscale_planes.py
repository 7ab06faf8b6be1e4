"""Pooled moments, multi-scale and local planes, and the record that holds them."""

import pytest
import torch
from torch import Tensor

from tensorframes.geometry import Hierarchy, build_hierarchy
from tensorframes.layers import (
    Geometry,
    MultiScalePlanes,
    PlaneSizes,
    PooledMoments,
    Requirements,
    measured,
    planes_of_levels,
    pooled_moments,
)
from tensorframes.layers.pooled_moments import covariances_around
from tensorframes.normals import WeightedFit
from tensorframes.testing import assert_equivariant

Counts = tuple[tuple[int, ...], ...]

COUNTS: Counts = ((16, 32), (8,))


def levels(pos: Tensor, radii: tuple[float, ...] = (1.5, 3.0), batch: Tensor | None = None) -> Hierarchy:
    batch = torch.zeros(len(pos), dtype=torch.long) if batch is None else batch
    return build_hierarchy(pos, batch, radii)


def planes(hierarchy: Hierarchy, counts: Counts, depth: int = 1) -> MultiScalePlanes:
    sizes = PlaneSizes.checked(depth, counts)
    return measured(hierarchy, Requirements(planes=(sizes,))).planes_of(sizes)


def slab(noise: float, count: int = 3000) -> Tensor:
    """A noisy piece of the plane z = 0."""
    generator = torch.Generator().manual_seed(6)
    pos = 30 * torch.rand(count, 3, generator=generator, dtype=torch.float64)
    pos[:, 2] = noise * torch.randn(count, generator=generator, dtype=torch.float64)
    return pos


def covariance(pos: Tensor) -> Tensor:
    centred = pos - pos.mean(0)
    return centred.T @ centred / len(pos)


def test_moments_of_every_level_hold_every_point_once() -> None:
    pos = slab(2.0) + 100
    for moments in pooled_moments(levels(pos)):
        assert torch.isclose(moments.count.sum(), torch.tensor(3000.0, dtype=torch.float64))
        share = (moments.count / 3000).unsqueeze(-1)
        mean = (share * moments.mean).sum(0)
        assert torch.allclose(mean, pos.mean(0))
        off = moments.mean - mean
        total = (share.unsqueeze(-1) * moments.covariance).sum(0) + (share * off).T @ off
        assert torch.allclose(total, covariance(pos))


def test_clouds_of_a_batch_keep_their_points() -> None:
    clouds = [slab(1.0, 500), slab(1.0, 40) + 3]
    batch = torch.arange(2).repeat_interleave(torch.tensor([500, 40]))
    together = levels(torch.cat(clouds), batch=batch)
    apart = torch.cat([planes(levels(cloud), COUNTS).planes for cloud in clouds])
    assert torch.allclose(planes(together, COUNTS).planes, apart, atol=1e-10)
    moments = pooled_moments(together)[-1]
    number = together.levels[-1].batch
    assert torch.allclose(
        torch.zeros(2).double().index_add(0, number, moments.count), torch.tensor([500.0, 40]).double()
    )


def test_multiscale_planes_average_noise_that_hides_the_plane_from_coarse_points() -> None:
    hierarchy = levels(slab(1.0))
    coarse, multiscale = planes_of_levels(hierarchy, 2)[:, 1], planes(hierarchy, COUNTS)
    angle = [
        torch.rad2deg(torch.linalg.eigh(each)[1][..., 2, 2].abs().clamp(max=1).acos()).square().mean().sqrt()
        for each in (coarse, multiscale.planes[:, 1], multiscale.planes[:, 2])
    ]
    assert angle[1] < 0.5 * angle[0]
    assert angle[2] < 0.3 * angle[0]


def test_flat_points_give_their_plane_exactly() -> None:
    flat = planes(levels(slab(0.0)), COUNTS)
    expected = torch.zeros(3, 3, dtype=torch.float64)
    expected[2, 2] = 1
    assert torch.allclose(flat.planes, expected.expand_as(flat.planes))
    assert (flat.shape[..., 0] < 1e-6).all()


def test_multiscale_planes_are_tensors_and_shapes_invariant() -> None:
    pos = slab(1.0, 400)
    assert_equivariant(lambda p: planes(levels(p), COUNTS).planes.flatten(1), pos, "3x2")
    assert_equivariant(lambda p: planes(levels(p), COUNTS).shape.flatten(1), pos, "9x0")


def test_a_repeated_coarse_point_counts_once() -> None:
    generator = torch.Generator().manual_seed(1)
    mean = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    moments = PooledMoments(torch.ones(3).double(), mean, torch.zeros(3, 3, 3, dtype=torch.float64))
    at = mean[:1] + 0.01
    once, again = (
        covariances_around(at, torch.tensor([row]), moments, [len(row)])[0] for row in ([0, 1, 2], [0, 1, 2, 0, 0])
    )
    assert torch.allclose(once, again)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_few_points_give_finite_planes(count: int) -> None:
    pos = torch.randn(count, 3, generator=torch.Generator().manual_seed(count), dtype=torch.float64)
    few = planes(levels(pos), COUNTS)
    assert few.planes.isfinite().all()
    assert few.shape.isfinite().all()


def test_the_record_holds_what_was_asked_for_in_any_precision() -> None:
    sizes = PlaneSizes.checked(0, [[12], [8]])
    exact = measured(levels(slab(1.0, 300)), Requirements(planes=(sizes,), edges=9, profile=True))
    rounded = exact.to(torch.float32)
    assert isinstance(rounded, Geometry)
    assert torch.equal(rounded.planes_of(sizes).planes, exact.planes_of(sizes).planes.float())
    assert torch.equal(rounded.edges, exact.edges.float())
    assert exact.edges.shape == (300, 8, 3)
    assert torch.equal(rounded.profile, exact.profile.float())
    assert exact.nearest(1, 5).shape == (300, 5)
    assert exact.nearest(2, 5) is exact.nearest(1, 9) is None
    with pytest.raises(ValueError, match="expected a geometry with PlaneSizes"):
        exact.planes_of(PlaneSizes.checked(0, [[12], [7]]))


def test_the_record_moves_with_all_that_it_holds() -> None:
    sizes = PlaneSizes.checked(0, [[12], [8]])
    required = Requirements(planes=(sizes,), moments=True, edges=9, profile=True)
    moved = measured(levels(slab(1.0, 300)), required).to("meta", torch.float32)
    planes = moved.planes_of(sizes)
    numbers = [planes.planes, planes.shape, moved.edges, moved.profile, moved.levels[1].pos]
    numbers += [each for moments in moved.moments for each in (moments.count, moments.mean, moments.covariance)]
    tables = [*(table.index for table in moved.tables), moved.levels[1].rows, *moved.above, moved.knn_index]
    assert {(each.device.type, each.dtype) for each in numbers} == {("meta", torch.float32)}
    assert {(each.device.type, each.dtype) for each in tables} == {("meta", torch.int64)}


def test_requirements_of_two_parts_are_joined() -> None:
    first, second = PlaneSizes.checked(1, COUNTS), PlaneSizes.checked(0, [[4]])
    both = Requirements(5, (first,), edges=3) | Requirements(8, (first, second), moments=True, profile=True)
    assert both == Requirements(8, (first, second), True, 3, True)
    with pytest.raises(ValueError, match="multi-scale planes of at most 1 levels, got 2"):
        both.check_levels(2)
    with pytest.raises(ValueError, match="with coarse levels"):
        Requirements(profile=True).check_levels(1)


def test_neighbours_of_levels_that_are_not_there_are_refused() -> None:
    required = Requirements() | WeightedFit(4, [12, 4, 4]).requirements
    required.check_levels(3)
    with pytest.raises(ValueError, match="at most 2 levels, those of the backbone, got those of 3"):
        required.check_levels(2)


def test_local_planes_are_those_of_the_points_themselves() -> None:
    pos = slab(0.5, 400)
    hierarchy = levels(pos)
    local = planes(hierarchy, ((12, 30), (8,)), depth=0)
    assert local.planes.shape == (400, 3, 3, 3)
    assert local.shape.shape == (400, 3, 4)
    edge = pos[hierarchy.knn_index[7, :12]] - pos[7]
    weight = (1 - edge.square().sum(-1) / edge.square().sum(-1).max()).square()
    weight = weight / weight.sum()
    off = edge - weight @ edge
    values, vectors = torch.linalg.eigh((weight.unsqueeze(-1) * off).T @ off)
    cosine = (local.planes[7, 0] @ vectors[:, 0]) @ vectors[:, 0]
    assert torch.isclose(cosine, values[1] * values[2] / (values[1] * values[2] + values[0] * (values[1] + values[2])))
    assert torch.isclose(local.shape[7, 0, 0], (values[0] / values[2]).sqrt())
    assert torch.isclose(local.shape[7, 0, 3], (values[0] + 1e-6).log() / 4)


def test_local_planes_are_tensors_and_shapes_invariant() -> None:
    pos, counts = slab(1.0, 400), ((12, 30), (8,))
    assert_equivariant(lambda p: planes(levels(p), counts, 0).planes.flatten(1), pos, "3x2")
    assert_equivariant(lambda p: planes(levels(p), counts, 0).shape.flatten(1), pos, "12x0")


def test_planes_of_no_level_between_are_left_out() -> None:
    hierarchy = levels(slab(0.5, 400))
    both = planes(hierarchy, ((12,), (), (4,)), 0).planes
    assert torch.equal(both[:, 0], planes(hierarchy, ((12,),), 0).planes[:, 0])
    assert torch.equal(both[:, 1], planes(hierarchy, ((), (), (4,)), 0).planes[:, 0])


def test_planes_are_centred_at_level_0_or_1() -> None:
    with pytest.raises(ValueError, match="expected planes centred at level 0 or 1, got level 2"):
        PlaneSizes.checked(2, [[8]])
