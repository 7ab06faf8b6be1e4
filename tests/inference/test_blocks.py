"""Clouds in blocks: who shares one, who is seen around it, and that normals hardly notice."""

import numpy as np
import pytest
import torch

from tensorframes.backbones import PointNet2
from tensorframes.estimator import NormalEstimator, PlaneFitHead
from tensorframes.frames import LearnedFrames
from tensorframes.inference import estimate_normals, normals_of
from tensorframes.inference.blocks import blocks, surroundings
from tensorframes.testing import random_orthogonal


@pytest.fixture(scope="module")
def network() -> NormalEstimator:
    torch.manual_seed(0)
    backbone = PointNet2(widths=(8, 16), radii=(2.0,), neighbours=8)
    return NormalEstimator(LearnedFrames(), backbone, lambda reps: PlaneFitHead(reps, (12, 4))).double().eval()


@pytest.fixture(scope="module")
def ellipsoid() -> np.ndarray:
    points = np.random.default_rng(0).normal(size=(1500, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True) * [3.0, 2.0, 1.0]


def angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees between axes (N, 3); a cross product tells small ones apart, a cosine would not."""
    return np.degrees(np.arcsin(np.clip(np.linalg.norm(np.cross(a, b), axis=1), 0, 1)))


def as_sets(parts: list[np.ndarray], names: np.ndarray) -> set[frozenset]:
    return {frozenset(names[part].tolist()) for part in parts}


@pytest.mark.parametrize("most", [1, 7, 100, 1499, 1500])
def test_every_point_is_in_one_block_of_at_most_so_many(ellipsoid: np.ndarray, most: int) -> None:
    parts = list(blocks(ellipsoid, most))
    assert sorted(np.concatenate(parts).tolist()) == list(range(1500))
    assert max(len(part) for part in parts) <= most
    assert min(len(part) for part in parts) >= (most // 2 if most < 1500 else 1500)


@pytest.mark.parametrize("count", [1500, 1499])
def test_blocks_are_the_same_however_a_cloud_is_turned_or_ordered(ellipsoid: np.ndarray, count: int) -> None:
    cloud, names = ellipsoid[:count], np.arange(count)
    expected = as_sets(list(blocks(cloud, 200)), names)
    order = np.random.default_rng(1).permutation(count)
    for g in random_orthogonal(4).double().numpy():
        assert as_sets(list(blocks((cloud @ g.T + 3.0)[order], 200)), order) == expected


def test_points_at_one_place_share_a_block() -> None:
    pos = np.repeat(np.random.default_rng(0).normal(size=(40, 3)), 5, axis=0)
    for part in blocks(pos, 12):
        assert all(np.isin(np.flatnonzero((pos == pos[row]).all(1)), part).all() for row in part)
    assert [len(part) for part in blocks(np.ones((9, 3)), 4)] == [9]


def test_most_points_at_one_place_leave_the_others_their_blocks() -> None:
    pos = np.concatenate([np.zeros((80, 3)), np.random.default_rng(0).normal(size=(20, 3))])
    parts = list(blocks(pos, 16))
    assert sorted(np.concatenate(parts).tolist()) == list(range(100))
    assert max(len(part) for part in parts if 0 not in part) <= 16


@pytest.mark.parametrize("reach", [0.05, 0.4, 10.0])
def test_surroundings_are_the_points_within_reach(ellipsoid: np.ndarray, reach: float) -> None:
    rows = next(blocks(ellipsoid, 200))
    distance = np.linalg.norm(ellipsoid[:, None] - ellipsoid[rows], axis=2).min(1)
    distance[rows] = np.inf
    expected = np.flatnonzero(distance < reach)
    np.testing.assert_array_equal(surroundings(ellipsoid, rows, reach, 1500), expected)
    few = surroundings(ellipsoid, rows, reach, 30)
    assert set(few) == set(np.argsort(distance)[: min(30, len(expected))])


def test_blocks_that_see_everything_give_the_normals_of_one_pass(
    network: NormalEstimator, ellipsoid: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tensorframes.inference.whole.REACH", 1e6)
    found = normals_of(network, ellipsoid, block=800)
    np.testing.assert_allclose(found, normals_of(network, ellipsoid, block=None), atol=1e-6)


def test_blocks_that_see_what_the_network_does_give_nearly_the_normals_of_one_pass(network: NormalEstimator) -> None:
    points = np.random.default_rng(0).normal(size=(6000, 3)) * [3.0, 2.0, 1.0]
    points /= np.linalg.norm(points / [3.0, 2.0, 1.0], axis=1, keepdims=True)
    off = angle(normals_of(network, points, block=1600), normals_of(network, points))
    assert np.mean(off < 0.01) > 0.99
    assert off.max() < 1


def test_normals_in_blocks_are_equivariant(network: NormalEstimator, ellipsoid: np.ndarray) -> None:
    normals = normals_of(network, ellipsoid, block=200)
    order = np.random.default_rng(1).permutation(len(ellipsoid))
    for g in random_orthogonal(3).double().numpy():
        turned = normals_of(network, (ellipsoid @ g.T)[order], block=200)
        assert angle(turned, (normals @ g.T)[order]).max() < 0.1


def test_rows_are_those_asked_for_in_their_order(network: NormalEstimator, ellipsoid: np.ndarray) -> None:
    rows = np.array([700, 3, 3, 1499, 12])
    np.testing.assert_allclose(
        normals_of(network, ellipsoid, rows, block=200), normals_of(network, ellipsoid, block=200)[rows], atol=1e-6
    )


def test_points_without_a_normal_have_none_in_blocks(network: NormalEstimator, ellipsoid: np.ndarray) -> None:
    spoiled = np.insert(ellipsoid, 5, np.nan, axis=0)
    normals = normals_of(network, spoiled, block=400)
    assert (normals[5] == 0).all()
    np.testing.assert_allclose(np.delete(normals, 5, axis=0), normals_of(network, ellipsoid, block=400), atol=1e-6)


def test_progress_counts_the_passes(network: NormalEstimator, ellipsoid: np.ndarray) -> None:
    told: list[tuple[int, int]] = []
    normals_of(network, ellipsoid, block=400, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 4) for done in range(4)]
    shares: list[float] = []
    estimate_normals(ellipsoid, "fast", progress=shares.append, block=400)
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert any(0.25 < share < 0.5 for share in shares)


def test_a_block_has_a_point(ellipsoid: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected block >= 1 or None, got 0"):
        estimate_normals(ellipsoid, block=0)
