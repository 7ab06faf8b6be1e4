import numpy as np
import pytest
import torch

from tensorframes.backbones import PointNet2
from tensorframes.frames import LearnedFrames
from tensorframes.normals import EstimatorMethod, NormalEstimator, PlaneFitHead, normals_of, pretrained


@pytest.fixture(scope="module")
def network() -> NormalEstimator:
    torch.manual_seed(0)
    backbone = PointNet2(widths=(8, 16), radii=(2.0,), neighbours=8)
    return NormalEstimator(LearnedFrames(), backbone, lambda reps: PlaneFitHead(reps, (12, 4))).eval()


@pytest.fixture(scope="module")
def sphere() -> np.ndarray:
    points = np.random.default_rng(0).normal(size=(400, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip(np.abs((a * b).sum(1)), 0, 1)))


def test_normals_of_a_sphere_even_untrained(network: NormalEstimator, sphere: np.ndarray) -> None:
    assert angle(normals_of(network, sphere), sphere).mean() < 10


def test_offset_and_scale_do_not_matter(network: NormalEstimator, sphere: np.ndarray) -> None:
    far = normals_of(network, 0.01 * sphere + 1e6)
    assert angle(far, normals_of(network, sphere)).max() < 0.5


@pytest.mark.parametrize("size", [1e300, 1e-300])
def test_clouds_of_any_magnitude_have_normals(network: NormalEstimator, sphere: np.ndarray, size: float) -> None:
    assert angle(normals_of(network, sphere * size), normals_of(network, sphere)).max() < 0.1


def test_rows_and_points_that_are_not_finite(network: NormalEstimator, sphere: np.ndarray) -> None:
    spoiled = np.insert(sphere, 5, np.nan, axis=0)
    rows = np.array([400, 5, 0])
    normals = normals_of(network, spoiled, rows)
    assert (normals[1] == 0).all()
    assert angle(normals[[0, 2]], normals_of(network, sphere)[[399, 0]]).max() < 0.1


@pytest.mark.parametrize("far", [1e6, -1e15])
def test_far_rows_take_no_part(network: NormalEstimator, sphere: np.ndarray, far: float) -> None:
    normals = normals_of(network, np.insert(sphere, 5, [far, 0, 0], axis=0))
    assert (normals[5] == 0).all()
    np.testing.assert_array_equal(np.delete(normals, 5, axis=0), normals_of(network, sphere))


def test_no_row_asked_for_that_could_have_a_normal(network: NormalEstimator, sphere: np.ndarray) -> None:
    spoiled = np.insert(sphere, [0, 0], [[np.nan, 0, 0], [1e15, 0, 0]], axis=0)
    for rows in ([], np.zeros(len(spoiled), dtype=bool)):
        assert normals_of(network, spoiled, rows).shape == (0, 3)
    np.testing.assert_array_equal(normals_of(network, spoiled, [1, 0, 0]), np.zeros((3, 3)))


def test_rows_may_be_a_mask(network: NormalEstimator, sphere: np.ndarray) -> None:
    mask = np.arange(len(sphere)) % 7 == 0
    np.testing.assert_array_equal(normals_of(network, sphere, mask), normals_of(network, sphere, np.flatnonzero(mask)))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([True, False], r"expected rows \(M,\) of integers or a mask \(400,\), got bool \(2,\)"),
        ([[1, 2]], r"expected rows \(M,\) of integers .*, got int64 \(1, 2\)"),
        ([0.5], r"expected rows \(M,\) of integers .*, got float64 \(1,\)"),
        ([3, 400], r"expected rows in 0\.\.399, got 3\.\.400"),
        ([-1], r"expected rows in 0\.\.399, got -1\.\.-1"),
    ],
)
def test_wrong_rows_are_refused(network: NormalEstimator, sphere: np.ndarray, rows: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        normals_of(network, sphere, rows)


def test_method_claims_what_the_estimator_claims(network: NormalEstimator, sphere: np.ndarray) -> None:
    method = EstimatorMethod(network, "mine")
    assert (method.name, method.oriented) == ("mine", False)
    assert method(sphere, np.arange(10)).shape == (10, 3)


def test_wrong_points_are_refused(network: NormalEstimator) -> None:
    with pytest.raises(ValueError, match=r"expected points \(N, 3\)"):
        normals_of(network, np.zeros((5, 2)))
    with pytest.raises(ValueError, match=r"expected points \(N, 3\)"):
        normals_of(network, np.array([["a", "b", "c"]]))
    with pytest.raises(ValueError, match="none finite"):
        normals_of(network, np.full((3, 3), np.nan))


def test_points_are_looked_at_in_the_order_of_space_and_answered_in_their_own() -> None:
    """Large clouds are reordered, so that neighbours are together in memory: nothing else changes."""
    from tensorframes.normals.normalise import CACHED, spatial_order

    rng = np.random.default_rng(0)
    points = rng.normal(size=(CACHED + 1000, 3)) * [1, 1, 0.01]
    order = spatial_order(points)
    assert np.array_equal(np.sort(order), np.arange(len(points)))
    step = np.linalg.norm(np.diff(points[order], axis=0), axis=1)
    assert np.median(step) < 0.2 * np.median(np.linalg.norm(np.diff(points, axis=0), axis=1))
    assert np.array_equal(spatial_order(points[:CACHED]), np.arange(CACHED))
    estimator, rows = pretrained("fast").double(), rng.choice(len(points), 300, replace=False)
    again = rng.permutation(len(points))
    passed = []
    estimator.register_forward_pre_hook(lambda _, given: passed.append(given[0].numpy()))
    normals = normals_of(estimator, points, rows)
    assert np.array_equal(passed[0], (points - points.mean(0))[order])
    shuffled = normals_of(estimator, points[again], np.argsort(again)[rows])
    assert np.abs((normals * shuffled).sum(1)).min() > 1 - 1e-6
