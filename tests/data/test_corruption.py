from dataclasses import replace

import numpy as np
import pytest

from tensorframes.data.cloud import CATEGORIES, Cloud
from tensorframes.data.synthetic import DepthImage
from tensorframes.data.transforms.corruption import (
    MIN_SHARE,
    ROUNDING,
    Corruption,
    CorruptionMix,
    Density,
    Outliers,
    Quantised,
    diagonal,
)


@pytest.fixture
def slab() -> Cloud:
    rng = np.random.default_rng(0)
    pos = rng.uniform(-0.5, 0.5, (20_000, 3)) * [8, 2, 0]
    return Cloud("slab", pos, np.tile([0.0, 0.0, 1.0], (len(pos), 1)), eval_index=np.arange(10))


@pytest.mark.parametrize(("category", "sigma"), [("low_noise", 0.00125), ("med_noise", 0.006), ("high_noise", 0.012)])
def test_noise_is_the_protocols_part_of_the_diagonal(slab, category, sigma):
    noisy = Corruption.protocol(category).apply(slab, np.random.default_rng(1))
    error = noisy.pos - slab.pos
    assert np.allclose(error.std(0) / diagonal(slab.pos), sigma, rtol=0.02)
    assert np.abs(error.mean(0)).max() < 5 * sigma * diagonal(slab.pos) / len(slab.pos) ** 0.5
    assert np.array_equal(noisy.normal, slab.normal)
    assert np.array_equal(noisy.clean_pos, slab.pos)
    assert np.array_equal(noisy.eval_index, slab.eval_index)
    assert noisy.category == category


def test_no_noise_changes_nothing(slab):
    assert np.array_equal(Corruption.protocol("no_noise").apply(slab, np.random.default_rng(1)).pos, slab.pos)


def test_gradient_thins_along_the_longest_axis(slab):
    pos = Corruption.protocol("vardensity_gradient").apply(slab, np.random.default_rng(1)).pos
    along = np.histogram(pos[:, 0], 8)[0]
    across = np.histogram(pos[:, 1], 8)[0]
    assert (np.diff(along) > 0).all() or (np.diff(along) < 0).all()
    assert along.max() > 8 * along.min()
    assert across.max() < 1.2 * across.min()


def test_stripes_alternate_in_eight_layers(slab):
    thinned = Corruption.protocol("vardensity_striped").apply(slab, np.random.default_rng(1))
    counts = np.histogram(thinned.pos[:, 0], 8)[0]
    dense, sparse = sorted([counts[::2], counts[1::2]], key=lambda part: -part.sum())
    assert dense.min() > 6 * sparse.max()
    assert np.array_equal(thinned.eval_index, np.arange(len(thinned)))


def test_a_part_of_every_cloud_stays():
    rng = np.random.default_rng(0)
    pos = np.concatenate([rng.uniform(0, 0.01, (990, 3)), np.ones((10, 3))])
    rows = Density("gradient", low=0.01).sample_rows(pos.astype(np.float32), rng)
    assert len(rows) == MIN_SHARE * len(pos)
    assert (np.diff(rows) > 0).all()
    assert len(Density("gradient", low=0.01, least=0.35).sample_rows(pos.astype(np.float32), rng)) == 350


def test_rounded_coordinates_are_multiples_of_their_step(slab):
    step = 1e-4 * diagonal(slab.pos)
    rounded = Corruption(rounding=1e-4).apply(slab, np.random.default_rng(1)).pos
    assert np.allclose(rounded / step, np.round(rounded / step), atol=1e-3)
    assert 0.4 * step < np.abs(rounded - slab.pos).max() < 0.51 * step


def test_a_mix_rounds_a_part_of_its_clouds_and_draws_the_rest_as_if_it_did_not():
    never, half = CorruptionMix(), CorruptionMix(rounded=0.5)
    assert not any(never.draw(np.random.default_rng(seed)).rounding for seed in range(50))
    drawn = [half.draw(np.random.default_rng(seed)) for seed in range(400)]
    steps = np.array([each.rounding for each in drawn])
    assert 0.4 < (steps > 0).mean() < 0.6
    assert ROUNDING[0] <= steps[steps > 0].min() < 1e-7 < 1e-6 < steps.max() <= ROUNDING[1]
    plain = [never.draw(np.random.default_rng(seed)) for seed in range(400)]
    assert [replace(each, rounding=0.0) for each in drawn] == plain


@pytest.mark.parametrize("make", [lambda: Corruption(rounding=-1.0), lambda: CorruptionMix(rounded=1.5)])
def test_wrong_rounding_is_told(make):
    with pytest.raises(ValueError, match="expected"):
        make()


def test_a_mix_draws_its_categories_by_weight():
    rng = np.random.default_rng(0)
    mix = CorruptionMix({"no_noise": 1, "high_noise": 3})
    drawn = [mix.draw(rng) for _ in range(1000)]
    assert {corruption.category for corruption in drawn} == {"no_noise", "high_noise"}
    assert 0.7 < np.mean([corruption.category == "high_noise" for corruption in drawn]) < 0.8
    assert all((corruption.noise > 0) == (corruption.category == "high_noise") for corruption in drawn)


def test_a_mix_covers_the_protocols_levels_and_densities():
    rng = np.random.default_rng(0)
    drawn = [CorruptionMix().draw(rng) for _ in range(2000)]
    assert {corruption.category for corruption in drawn} == set(CATEGORIES)
    levels = np.sort([corruption.noise for corruption in drawn])
    assert levels[0] == 0
    assert levels[-1] > 0.012
    assert np.diff(levels).max() < 0.001
    assert {corruption.density.pattern for corruption in drawn} == {"uniform", "gradient", "striped"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Corruption.protocol("loud"), "expected a category of no_noise, .*, got 'loud'"),
        (lambda: Corruption(-1.0), "expected noise >= 0, got -1.0"),
        (lambda: Corruption(float("nan")), "expected noise >= 0, got nan"),
        (lambda: Density("dotted"), "expected a pattern of uniform, gradient, striped, got 'dotted'"),
        (lambda: Density(low=0.0), "expected shares 0 < low <= high <= 1, got low=0.0"),
        (lambda: Density(least=1.5), "expected a least part in .0, 1., got 1.5"),
        (lambda: CorruptionMix({"loud": 1}), "expected categories of .*, got loud"),
        (lambda: CorruptionMix(least_share=0.0), "expected least_share in .0, 1. and density_noise in .0, 1., got 0.0"),
        (lambda: CorruptionMix(density_noise=2.0), "got 0.4 and 2.0"),
        (lambda: Outliers(clustered=(0.0, 3.0)), "expected clustered in .0, 1., got .0.0, 3.0."),
        (lambda: Outliers(share=-1.0), "expected share of at least 0, got -1.0"),
        (lambda: Quantised(by_spacing=float("nan")), "expected by_spacing in .0, 1., got nan"),
        (lambda: DepthImage(lost=1.5), "expected lost in .0, 1., got 1.5"),
        (lambda: CorruptionMix({"no_noise": 0}), "expected weights >= 0 with a positive sum"),
    ],
)
def test_mistakes_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
