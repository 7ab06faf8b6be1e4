"""Sharpened positions: noise goes, sheets close to each other stay two, and the pose does not matter."""

import warnings

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import tensorframes
from tensorframes.normals.orient.sharpening import sharpened

NOISE = 0.01


def two_sheets(gap: float, count: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noisy points (N, 3) of two parallel planes, their normals of random signs, and their true heights (N,)."""
    rng = np.random.default_rng(0)
    height = gap * (np.arange(count) % 2)
    pos = np.column_stack([rng.uniform(0, 1, (count, 2)), height + NOISE * rng.normal(size=count)])
    return pos, np.array([0, 0, 1.0]) * rng.choice([-1.0, 1.0], (count, 1)), height


@pytest.mark.parametrize("gap", [0.0, 5 * NOISE, 20 * NOISE])
def test_noise_goes_and_sheets_stay_apart(gap: float) -> None:
    pos, normal, height = two_sheets(gap)
    error = sharpened(pos, normal)[:, 2] - height
    assert np.median(np.abs(error)) < 0.35 * np.median(np.abs(pos[:, 2] - height))
    assert (np.abs(error) < gap / 2).mean() > 0.97 or gap == 0


def test_points_move_along_their_normals_only() -> None:
    pos, normal, _ = two_sheets(0.05)
    moved = sharpened(pos, normal) - pos
    assert np.abs(moved).max() > NOISE
    np.testing.assert_array_equal(moved[:, :2], 0)


def test_signs_pose_and_order_do_not_matter() -> None:
    pos, normal, _ = two_sheets(0.05, 1000)
    found = sharpened(pos, normal)
    turn, order = -Rotation.random(random_state=0).as_matrix(), np.random.default_rng(1).permutation(len(pos))
    np.testing.assert_allclose(sharpened(pos, -normal), found, atol=1e-6)
    np.testing.assert_allclose(sharpened(pos @ turn.T, normal @ turn.T), found @ turn.T, atol=1e-6)
    np.testing.assert_allclose(sharpened(pos[order], normal[order]), found[order], atol=1e-6)


def test_exact_planes_and_few_points_stay() -> None:
    pos, normal, height = two_sheets(1.0)
    pos[:, 2] = height
    np.testing.assert_array_equal(sharpened(pos, normal), pos)
    assert np.isfinite(sharpened(pos[:2], normal[:2])).all()


def column_points(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points above each other, `count` in each of five columns, with vertical normals."""
    rng = np.random.default_rng(0)
    pos = np.repeat(np.column_stack([rng.normal(size=(5, 2)) * 10, np.zeros(5)]), count, axis=0)
    pos[:, 2] = rng.integers(0, 64, len(pos)) / 8.0
    return np.unique(pos, axis=0), np.array([0.0, 0.0, 1.0])


def layers() -> tuple[np.ndarray, np.ndarray]:
    """A grid measured twice, with noise along the normals."""
    grid = np.stack(np.meshgrid(np.arange(30.0), np.arange(30.0)), -1).reshape(-1, 2)
    rng = np.random.default_rng(0)
    pos = np.concatenate([np.column_stack([grid, 0.3 * rng.normal(size=900)]) for _ in range(2)])
    return pos, np.array([0.0, 0.0, 1.0])


@pytest.mark.parametrize("cloud", [layers(), *(column_points(count) for count in (3, 6, 12, 30))])
def test_points_above_each_other_stay_distinct(cloud: tuple[np.ndarray, np.ndarray]) -> None:
    pos, normal = cloud
    given = normal * np.random.default_rng(0).choice([-1.0, 1.0], (len(pos), 1))
    assert len(np.unique(sharpened(pos, given), axis=0)) == len(pos)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = tensorframes.orient_normals(pos, given)
    assert (np.abs(found) == np.abs(given)).all()


def test_a_grid_measured_twice_is_one_surface() -> None:
    pos, normal = layers()
    found = tensorframes.orient_normals(pos, normal * np.random.default_rng(0).choice([-1.0, 1.0], (len(pos), 1)))
    assert abs(found[:, 2].sum()) > 1780
