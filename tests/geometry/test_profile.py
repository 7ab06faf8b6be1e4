"""Surface-variation profiles: how noise changes them, and that they are invariant."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tensorframes.geometry import PROFILE_SIZE, build_hierarchy, sampled_profile, variation_profile, variation_profiles
from tensorframes.geometry.profile import LEAST, SIZES, UNIT
from tensorframes.testing import random_orthogonal


def slab(noise: float, count: int = 4000) -> Tensor:
    """A noisy piece of the plane z = 0, about one point in each unit of area."""
    generator = torch.Generator().manual_seed(2)
    pos = math.sqrt(count) * torch.rand(count, 3, generator=generator, dtype=torch.float64)
    pos[:, 2] = noise * torch.randn(count, generator=generator, dtype=torch.float64)
    return pos


def everywhere(pos: Tensor) -> Tensor:
    return torch.arange(len(pos))


def test_noise_is_as_thick_at_every_size_that_is_wider_than_it() -> None:
    mean, spread = variation_profile(slab(0.5), everywhere(slab(0.5))).chunk(2)
    expected = 1 + math.log(0.25) / UNIT
    assert torch.allclose(mean[2:], torch.full_like(mean[2:], expected), atol=0.06)
    assert (spread[1:] < spread[:-1]).all()  # of more points the variance is better known


def test_relief_grows_thicker_with_the_size_and_noise_does_not() -> None:
    pos = slab(0.3)
    rough = pos + torch.stack([pos[:, 0] * 0, pos[:, 0] * 0, 2 * (pos[:, 0] / 6).sin()], dim=1)
    flat, relief = (variation_profile(each, everywhere(each)[::4])[: len(SIZES)] for each in (pos, rough))
    assert relief[4] - relief[2] > 5 * (flat[4] - flat[2])


@pytest.mark.parametrize("determinant", [1, -1])
def test_profiles_are_invariant_under_motions_and_the_order_of_points(determinant: int) -> None:
    pos, g = slab(0.4, 600), random_orthogonal(1, determinant=determinant)[0]
    order, rows = torch.randperm(600), torch.arange(0, 600, 7)
    moved = (pos @ g.T + 3.0)[order]
    there = torch.argsort(order)[rows]
    assert torch.allclose(variation_profile(moved, there), variation_profile(pos, rows), atol=1e-9)


def test_clouds_with_few_points_or_none_thick_have_finite_profiles() -> None:
    for pos in (torch.zeros(1, 3), torch.ones(5, 3), torch.eye(3), slab(0.0, 50)):
        profile = variation_profile(pos.double(), everywhere(pos))
        assert profile.shape == (PROFILE_SIZE,)
        assert profile.isfinite().all()
    assert torch.isclose(profile[0], torch.tensor(1 + math.log(LEAST) / UNIT).double())


def test_every_cloud_of_a_batch_has_its_own() -> None:
    clouds = [slab(0.2, 300), slab(1.0, 200)]
    batch = torch.arange(2).repeat_interleave(torch.tensor([300, 200]))
    rows = torch.cat([torch.arange(0, 300, 9), torch.arange(300, 500, 4)])
    profile = variation_profiles(torch.cat(clouds), batch, rows)
    assert torch.equal(profile[1], variation_profile(clouds[1], torch.arange(0, 200, 4)))
    assert torch.equal(profile[0], variation_profile(clouds[0], torch.arange(0, 300, 9)))


def test_random_rows_of_a_cloud_of_uneven_density_tell_about_what_evenly_spaced_ones_do() -> None:
    pos = slab(0.3, 6000)
    thinned = torch.rand(6000, generator=torch.Generator().manual_seed(3)) < torch.where(pos[:, 0] < 38, 1.0, 0.15)
    pos = pos[thinned]
    pos = pos + torch.stack([pos[:, 0] * 0, pos[:, 0] * 0, (pos[:, 0] > 38) * (pos[:, 0] / 3).sin()], dim=1)
    even = build_hierarchy(pos, torch.zeros(len(pos), dtype=torch.long), (1.5, 3.0)).levels[-1].rows
    exact = variation_profile(pos, even)
    drawn = torch.from_numpy(sampled_profile(3 * pos.numpy(), 3.0, np.random.default_rng(0)))
    unweighed = variation_profile(pos, everywhere(pos))
    assert (drawn - exact).abs().mean() < 0.03
    assert (unweighed - exact).abs().mean() > 0.05


def test_points_at_equal_distances_count_alike_whatever_their_order() -> None:
    row = torch.arange(40.0, dtype=torch.float64)
    x, y = (each.flatten() for each in torch.meshgrid(row, row, indexing="ij"))
    stepped = torch.stack([x, y, (x / 8).floor()], dim=1)
    rows, order = torch.arange(0, 1600, 37), torch.randperm(1600)
    moved = variation_profile(stepped[order], torch.argsort(order)[rows])
    # The 1024th neighbour is the last that is looked at: a tie there is not seen.
    same = [column for column in range(PROFILE_SIZE) if column % len(SIZES) != len(SIZES) - 1]
    assert torch.allclose(moved[same], variation_profile(stepped, rows)[same], atol=1e-9)


def test_a_cloud_without_points_has_zeros() -> None:
    pos, batch = slab(0.2, 100), torch.tensor([0, 2]).repeat_interleave(50)
    profile = variation_profiles(pos, batch, torch.arange(100))
    assert (profile[1] == 0).all()
    assert (profile[2] != 0).any()
