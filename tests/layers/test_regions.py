"""Moments of the points that coarse points stand for, and planes of wide neighbourhoods."""

import pytest
import torch
from torch import Tensor

from tensorframes.geometry import Hierarchy, build_hierarchy
from tensorframes.layers import near_planes, planes_of_levels, regions_of_levels, wide_planes
from tensorframes.layers.regions import Regions, covariances_around
from tensorframes.testing import assert_equivariant

COUNTS = ((16, 32), (8,))


def levels(pos: Tensor, radii: tuple[float, ...] = (1.5, 3.0), batch: Tensor | None = None) -> Hierarchy:
    batch = torch.zeros(len(pos), dtype=torch.long) if batch is None else batch
    return build_hierarchy(pos, batch, radii)


def slab(noise: float, count: int = 3000) -> Tensor:
    """A noisy piece of the plane z = 0."""
    generator = torch.Generator().manual_seed(6)
    pos = 30 * torch.rand(count, 3, generator=generator, dtype=torch.float64)
    pos[:, 2] = noise * torch.randn(count, generator=generator, dtype=torch.float64)
    return pos


def covariance(pos: Tensor) -> Tensor:
    centred = pos - pos.mean(0)
    return centred.T @ centred / len(pos)


def test_regions_of_every_level_hold_every_point_once() -> None:
    pos = slab(2.0) + 100
    for regions in regions_of_levels(levels(pos)):
        assert torch.isclose(regions.count.sum(), torch.tensor(3000.0, dtype=torch.float64))
        share = (regions.count / 3000).unsqueeze(-1)
        mean = (share * regions.mean).sum(0)
        assert torch.allclose(mean, pos.mean(0))
        off = regions.mean - mean
        total = (share.unsqueeze(-1) * regions.covariance).sum(0) + (share * off).T @ off
        assert torch.allclose(total, covariance(pos))


def test_clouds_of_a_batch_keep_their_points() -> None:
    clouds = [slab(1.0, 500), slab(1.0, 40) + 3]
    batch = torch.arange(2).repeat_interleave(torch.tensor([500, 40]))
    together = levels(torch.cat(clouds), batch=batch)
    found = wide_planes(together, COUNTS).planes
    apart = torch.cat([wide_planes(levels(cloud), COUNTS).planes for cloud in clouds])
    assert torch.allclose(found, apart, atol=1e-10)
    regions = regions_of_levels(together)[-1]
    number = together.levels[-1].batch
    assert torch.allclose(
        torch.zeros(2).double().index_add(0, number, regions.count), torch.tensor([500.0, 40]).double()
    )


def test_wide_planes_see_through_noise_that_hides_the_plane_from_coarse_points() -> None:
    hierarchy = levels(slab(1.0))
    coarse, wide = planes_of_levels(hierarchy, 2)[:, 1], wide_planes(hierarchy, COUNTS)
    angle = [
        torch.rad2deg(torch.linalg.eigh(planes)[1][..., 2, 2].abs().clamp(max=1).acos()).square().mean().sqrt()
        for planes in (coarse, wide.planes[:, 1], wide.planes[:, 2])
    ]
    assert angle[1] < 0.5 * angle[0]
    assert angle[2] < 0.3 * angle[0]


def test_flat_points_give_their_plane_exactly() -> None:
    wide = wide_planes(levels(slab(0.0)), COUNTS)
    expected = torch.zeros(3, 3, dtype=torch.float64)
    expected[2, 2] = 1
    assert torch.allclose(wide.planes, expected.expand_as(wide.planes))
    assert (wide.shape[..., 0] < 1e-6).all()


def test_wide_planes_are_tensors_and_shapes_invariant() -> None:
    pos = slab(1.0, 400)
    assert_equivariant(lambda p: wide_planes(levels(p), COUNTS).planes.flatten(1), pos, "3x2")
    assert_equivariant(lambda p: wide_planes(levels(p), COUNTS).shape.flatten(1), pos, "9x0")


def test_a_repeated_region_counts_once() -> None:
    generator = torch.Generator().manual_seed(1)
    mean = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    regions = Regions(torch.ones(3).double(), mean, torch.zeros(3, 3, 3, dtype=torch.float64))
    at = mean[:1] + 0.01
    once, again = (
        covariances_around(at, torch.tensor([row]), regions, [len(row)])[0] for row in ([0, 1, 2], [0, 1, 2, 0, 0])
    )
    assert torch.allclose(once, again)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_few_points_give_finite_planes(count: int) -> None:
    pos = torch.randn(count, 3, generator=torch.Generator().manual_seed(count), dtype=torch.float64)
    wide = wide_planes(levels(pos), COUNTS)
    assert wide.planes.isfinite().all()
    assert wide.shape.isfinite().all()


def test_what_was_found_once_is_kept_but_not_in_another_precision() -> None:
    hierarchy = levels(slab(1.0, 300))
    assert wide_planes(hierarchy, COUNTS) is wide_planes(hierarchy, [list(sizes) for sizes in COUNTS])
    exact, rounded = wide_planes(hierarchy, COUNTS), wide_planes(hierarchy.to(torch.float32), COUNTS)
    assert torch.equal(rounded.planes, exact.planes.float())
    with pytest.raises(ValueError, match="at most 2 coarse levels, got 3"):
        wide_planes(hierarchy, [[4], [4], [4]])


def test_near_planes_are_those_of_the_points_themselves() -> None:
    pos = slab(0.5, 400)
    hierarchy = levels(pos)
    found = near_planes(hierarchy, ((12, 30), (8,)))
    assert found.planes.shape == (400, 3, 3, 3)
    assert found.shape.shape == (400, 3, 4)
    edge = pos[hierarchy.near[7, :12]] - pos[7]
    weight = (1 - edge.square().sum(-1) / edge.square().sum(-1).max()).square()
    weight = weight / weight.sum()
    off = edge - weight @ edge
    values, vectors = torch.linalg.eigh((weight.unsqueeze(-1) * off).T @ off)
    cosine = (found.planes[7, 0] @ vectors[:, 0]) @ vectors[:, 0]
    assert torch.isclose(cosine, values[1] * values[2] / (values[1] * values[2] + values[0] * (values[1] + values[2])))
    assert torch.isclose(found.shape[7, 0, 0], (values[0] / values[2]).sqrt())
    assert torch.isclose(found.shape[7, 0, 3], (values[0] + 1e-6).log() / 4)


def test_near_planes_are_tensors_and_shapes_invariant() -> None:
    pos, counts = slab(1.0, 400), ((12, 30), (8,))
    assert_equivariant(lambda p: near_planes(levels(p), counts).planes.flatten(1), pos, "3x2")
    assert_equivariant(lambda p: near_planes(levels(p), counts).shape.flatten(1), pos, "12x0")


def test_planes_of_no_level_between_are_left_out() -> None:
    hierarchy = levels(slab(0.5, 400))
    both = near_planes(hierarchy, ((12,), (), (4,))).planes
    assert torch.equal(both[:, 0], near_planes(hierarchy, ((12,),)).planes[:, 0])
    assert torch.equal(both[:, 1], near_planes(hierarchy, ((), (), (4,))).planes[:, 0])
