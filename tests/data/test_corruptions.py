"""Corruptions beside the protocol's, and the mix that draws them."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from tensorframes.data.cloud import Cloud
from tensorframes.data.transforms.corruption import (
    Corruption,
    CorruptionMix,
    DecadesDensity,
    FewPoints,
    Misregistered,
    Outliers,
    Quantised,
    corrupted_cloud,
    diagonal,
)

OTHERS = {
    "quantised": Quantised(),
    "misregistered": Misregistered(),
    "outliers": Outliers(),
    "decades_density": DecadesDensity(),
    "few_points": FewPoints(),
}


@pytest.fixture
def square() -> Cloud:
    """Spacing 0.01, area 1."""
    pos = np.random.default_rng(0).uniform(0, 1, (10_000, 3)) * [1, 1, 0]
    return Cloud("square", pos, np.tile([0.0, 0.0, 1.0], (len(pos), 1)))


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def corrupted(corruption, cloud):
    return corruption.corrupt(cloud.pos, diagonal(cloud.pos), rng())


@pytest.mark.parametrize("name", OTHERS)
def test_draws_are_fixed_and_functions_of_the_seed(square, name):
    drawn = OTHERS[name].draw(rng())
    assert drawn == OTHERS[name].draw(rng())
    assert drawn == drawn.draw(rng(2))
    assert drawn.noise == 0
    first, again = (corrupted(drawn, square) for _ in range(2))
    assert np.array_equal(first.pos, again.pos)
    assert np.array_equal(first.rows, again.rows)
    assert first.pos.dtype == np.float32
    assert first.pos.shape == (*first.rows.shape, 3)


@pytest.mark.parametrize(("by_spacing", "step"), [(0.0, 0.004 * 2**0.5), (1.0, 0.25 * 0.01)])
def test_quantised_coordinates_are_multiples_of_the_step(square, by_spacing, step):
    made = corrupted(Quantised(diagonal=0.004, spacing=0.25, by_spacing=by_spacing), square)
    assert np.array_equal(made.rows, np.arange(len(square)))
    assert np.abs(made.pos - square.pos).max() == pytest.approx(step / 2, rel=0.1)
    found = np.diff(np.unique(np.round(made.pos[:, 0], 6)))
    assert np.allclose(found, found[0] * np.round(found / found[0]), atol=1e-5)


def test_layers_are_moved_rigidly(square):
    made = corrupted(Misregistered(layers=3, turn=0.5, shift=0.004), square)
    assert np.array_equal(made.rows, np.arange(len(square)))
    moved = made.pos.astype(np.float64) - square.pos
    # Each layer is an affine image of the square: three fits explain everything, and one is none.
    inputs = np.column_stack([square.pos[:, :2], np.ones(len(square))]).astype(np.float64)
    left, layers = np.arange(len(square)), []
    while len(left) and len(layers) < 5:
        best = max((_fit(inputs[left], moved[left], rng(seed)) for seed in range(60)), key=lambda fit: fit[0].sum())
        layers.append((best[0].sum(), best[1]))
        left = left[~best[0]]
    assert len(layers) == 3
    assert min(size for size, _ in layers) > 1000
    still = [np.abs(motion).max() < 1e-6 for _, motion in layers]
    assert sum(still) == 1
    for _, motion in layers:
        assert np.abs(motion[:2]).max() <= np.radians(0.5) * 1.01
        assert np.linalg.norm(inputs[:, :3].mean(0) @ motion) <= 0.0041 * 2**0.5
    assert moved.any()


def _fit(inputs, moved, draws) -> tuple[np.ndarray, np.ndarray]:
    rows = draws.choice(len(inputs), 3, replace=False)
    motion = np.linalg.lstsq(inputs[rows], moved[rows], rcond=None)[0]
    return np.abs(inputs @ motion - moved).max(1) < 1e-5, motion


@pytest.mark.parametrize("clustered", [0.0, 1.0])
def test_outliers_are_unlabelled_points_about_the_cloud(square, clustered):
    made = corrupted(Outliers(share=0.1, clustered=clustered), square)
    far = made.rows < 0
    assert far.sum() == 1000
    assert np.array_equal(np.sort(made.rows[~far]), np.arange(len(square)))
    assert np.array_equal(made.pos[~far], square.pos[made.rows[~far]])
    assert 0.4 < np.flatnonzero(far).mean() / len(far) < 0.6  # among the others
    cloud = corrupted_cloud(made, square, "outliers")
    assert np.array_equal(cloud.labelled, ~far)
    assert cloud.category == "outliers"
    assert cloud.eval_index.tolist() == np.flatnonzero(~far).tolist()
    # They are uniform in a box that is 0.05 larger on every side, or crowded.
    counts = np.histogramdd(made.pos[far], bins=(5, 5, 2), range=[(-0.05, 1.05), (-0.05, 1.05), (-0.05, 0.05)])[0]
    nearest = np.median(cKDTree(made.pos[far]).query(made.pos[far], k=2)[0][:, 1])
    if clustered:
        assert nearest < 0.017
    else:
        assert counts.sum() == 1000
        assert 5 < counts.min() < counts.max() < 45
        assert nearest > 0.02


@pytest.mark.parametrize("pattern", ["axis", "radial", "points"])
def test_density_varies_over_decades(square, pattern):
    made = corrupted(DecadesDensity(decades=2.0, pattern=pattern), square)
    assert np.array_equal(made.pos, square.pos[made.rows])
    assert len(made.rows) == pytest.approx(len(square) * 0.99 / (2 * np.log(10)), rel=0.1)
    counts = np.sort(np.histogramdd(made.pos[:, :2], bins=6, range=[(0, 1)] * 2)[0].ravel())
    assert counts[-3:].mean() > 15 * max(counts[:3].mean(), 1)


def test_few_points_are_kept_at_random(square):
    made = corrupted(FewPoints(points=400), square)
    assert np.array_equal(made.pos, square.pos[made.rows])
    assert len(np.unique(made.rows)) == 400
    quadrants = np.histogram2d(made.pos[:, 0], made.pos[:, 1], bins=2, range=[(0, 1)] * 2)[0]
    assert (abs(quadrants - 100) < 45).all()
    assert np.array_equal(corrupted(FewPoints(points=20_000), square).pos, square.pos)
    numbers = [FewPoints().draw(rng(seed)).points for seed in range(200)]
    assert 100 <= min(numbers) < 130
    assert 3800 < max(numbers) <= 5000
    assert 500 < np.median(numbers) < 1000  # 707: uniform in the logarithm


def test_a_single_point_survives_every_corruption():
    point = Cloud("point", np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]]))
    for corruption in OTHERS.values():
        made = corrupted(corruption.draw(rng()), point)
        assert (made.rows == 0).sum() == 1
        assert np.isfinite(made.pos).all()


def test_a_mix_draws_others_by_weight():
    mix = CorruptionMix({"no_noise": 1.0, "outliers": 2.0, "quantised": 1.0}, others=OTHERS)
    kinds = [type(mix.draw(rng(seed))) for seed in range(400)]
    assert 0.43 < np.mean([kind is Outliers for kind in kinds]) < 0.57
    assert set(kinds) == {Corruption, Outliers, Quantised}


def test_clouds_with_noise_of_their_own_are_given_none():
    mix = CorruptionMix(
        {"high_noise": 1.0}, others=OTHERS, sampled_weights={"no_noise": 3.0, "outliers": 1.0}, sampled_thinned=0.5
    )
    drawn = [mix.draw(rng(seed), sampled=True) for seed in range(400)]
    assert all(each.noise == 0 for each in drawn)
    plain = [each for each in drawn if isinstance(each, Corruption)]
    assert 0.18 < 1 - len(plain) / len(drawn) < 0.32
    assert 0.4 < np.mean([each.density.high == 1 for each in plain]) < 0.6
    assert CorruptionMix({"high_noise": 1.0}).draw(rng(), sampled=True) == Corruption()
    assert Corruption(0.1).draw(rng(), sampled=True) == Corruption()
    assert Corruption(0.1).draw(rng()) == Corruption(0.1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CorruptionMix({"fog": 1.0}, others=OTHERS), "expected categories of no_noise, .*outliers.*, got fog"),
        (lambda: CorruptionMix(sampled_weights={"low_noise": 1.0}), "expected categories of no_noise, got low_noise"),
        (lambda: CorruptionMix(sampled_weights={"no_noise": 0.0}), "expected weights >= 0 with a positive sum"),
        (lambda: CorruptionMix(sampled_thinned=2.0), "expected a share of the clouds to thin"),
        (lambda: DecadesDensity(pattern="spiral"), "expected a pattern of any, axis, radial, points, got 'spiral'"),
        (lambda: FewPoints(points=(0.5, 100.0)), r"expected points of at least 1, got \(0.5, 100.0\)"),
        (lambda: Outliers(share=(0.1, 0.001)), "expected share to be a number or a pair low <= high"),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ValueError, match=message):
        make()
