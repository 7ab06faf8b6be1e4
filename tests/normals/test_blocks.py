"""Clouds in blocks: which points share one, their margins, and that normals hardly change."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tensorframes.backbones import PointNet2
from tensorframes.frames import LearnedFrames
from tensorframes.geometry import variation_profile
from tensorframes.normals import (
    AxisHead,
    Estimator,
    NormalEstimator,
    PlaneFitHead,
    Prediction,
    estimate_normals,
    normals_of,
    predict,
    pretrained,
)
from tensorframes.normals.blocks import blocks, margin_rows
from tensorframes.normals.normalise import merged_cloud
from tensorframes.reps import Representation
from tensorframes.testing import random_orthogonal


def plain_head(reps: Representation) -> PlaneFitHead:
    """A head with few candidates: a block then changes an untrained network's normals little."""
    few = {"candidate_neighbours": (0,), "sizes": (12,), "sample_neighbours": 0}
    few["final_selection"] = {"sample_neighbours": 2}
    return PlaneFitHead(reps, (12, 4), **few)


@pytest.fixture(scope="module")
def network() -> NormalEstimator:
    torch.manual_seed(0)
    backbone = PointNet2(widths=(8, 16), radii=(2.0,), neighbours=8)
    return NormalEstimator(LearnedFrames(), backbone, plain_head).double().eval()


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
    assert len(parts) == -(-1500 // most)
    assert min(len(part) for part in parts) >= (most // 2 if most < 1500 else 1500)


@pytest.mark.parametrize("count", [1500, 1499])
def test_blocks_are_the_same_however_a_cloud_is_turned_or_ordered(ellipsoid: np.ndarray, count: int) -> None:
    cloud, names = ellipsoid[:count], np.arange(count)
    expected = as_sets(list(blocks(cloud, 200)), names)
    order = np.random.default_rng(1).permutation(count)
    for g in random_orthogonal(4).double().numpy():
        assert as_sets(list(blocks((cloud @ g.T + 3.0)[order], 200)), order) == expected


def test_a_wall_with_a_rod_is_halved_until_blocks_are_small() -> None:
    rng = np.random.default_rng(0)
    wall = np.concatenate([np.zeros((80, 1)), rng.random((80, 2))], axis=1)
    rod = np.stack([100 * rng.random(20), np.zeros(20), np.zeros(20)], axis=1)
    parts = list(blocks(np.concatenate([wall, rod]), 16))
    assert sorted(np.concatenate(parts).tolist()) == list(range(100))
    assert max(len(part) for part in parts) <= 16


@pytest.mark.parametrize("size", [1e-170, 1e160])
def test_tiny_and_huge_clouds_are_halved_too(ellipsoid: np.ndarray, size: float) -> None:
    names = np.arange(1500)
    assert as_sets(list(blocks(size * ellipsoid, 200)), names) == as_sets(list(blocks(ellipsoid, 200)), names)


def test_equal_points_are_one_block() -> None:
    assert [len(part) for part in blocks(np.ones((9, 3)), 4)] == [9]


def spacings(pos: np.ndarray) -> np.ndarray:
    """To the eighth nearest of the points, by comparing all."""
    return np.sort(np.linalg.norm(pos[:, None] - pos, axis=2), axis=1)[:, 8]


def test_every_block_is_in_the_exact_scale_of_the_cloud(ellipsoid: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in one pass, also where the network's parameters are in float32."""
    backbone, given = PointNet2(widths=(8, 16), radii=(2.0,), neighbours=8), []
    network = NormalEstimator(LearnedFrames(), backbone, plain_head).eval()
    seen = network.planned

    def planned(pos: Tensor, batch: Tensor, scale: Tensor, *others: Any) -> Any:
        given.append(scale)
        return seen(pos, batch, scale, *others)

    monkeypatch.setattr(network, "planned", planned)
    normals_of(network, ellipsoid, block=800)
    expected = merged_cloud(ellipsoid - ellipsoid.mean(0)).scale
    assert len(given) == 2
    for scale in given:
        assert scale.dtype == torch.float64
        assert scale.item() == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("reach", [0.5, 4.0, 50.0])
def test_margins_are_the_points_within_so_many_spacings(ellipsoid: np.ndarray, reach: float) -> None:
    rows, scale = next(blocks(ellipsoid, 200)), 0.25
    distance = np.linalg.norm(ellipsoid[:, None] - ellipsoid[rows], axis=2)
    spacing = spacings(ellipsoid[rows]).clip(scale, max(scale, np.quantile(spacings(ellipsoid[rows]), 0.999)))
    assert spacing.min() == scale < spacing.max()
    outside = ~np.isin(np.arange(1500), rows)
    expected = np.flatnonzero(outside & (distance.min(1) < reach * spacing[distance.argmin(1)]))
    np.testing.assert_array_equal(margin_rows(ellipsoid, rows, scale, reach, 1500), expected)
    few = margin_rows(ellipsoid, rows, scale, reach, 30)
    assert set(few) == set(expected[distance.min(1)[expected].argsort()[:30]])


def test_where_points_are_sparse_margins_reach_farther(ellipsoid: np.ndarray) -> None:
    pos = np.concatenate([ellipsoid[:20] * 10, ellipsoid[20:] + 60])
    near = margin_rows(pos, np.arange(10), 0.2, 3.0, 1500)
    assert len(near) > 5
    assert len(margin_rows(pos, np.arange(100, 700), 0.2, 3.0, 1500)) > 500
    assert 10 not in margin_rows(pos, np.arange(100, 700), 0.2, 3.0, 1500)


def test_the_nearest_rows_of_a_margin_do_not_depend_on_the_order() -> None:
    axis = np.arange(9.0)
    pos = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    inner = np.flatnonzero((np.abs(pos - 4) <= 1).all(1))
    order = np.random.default_rng(0).permutation(len(pos))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    few = margin_rows(pos, inner, 1.0, 2.0, 60)
    assert 0 < len(few) <= 60
    assert set(order[margin_rows(pos[order], np.sort(place[inner]), 1.0, 2.0, 60)]) == set(few)


def test_blocks_that_see_everything_give_the_normals_of_one_pass(
    network: NormalEstimator, ellipsoid: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tensorframes.normals.predict.REACH", 1e6)
    in_blocks = normals_of(network, ellipsoid, block=100)
    np.testing.assert_allclose(in_blocks, normals_of(network, ellipsoid, block=None), atol=1e-6)


def test_normals_in_blocks_are_equivariant(
    network: NormalEstimator, ellipsoid: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tensorframes.normals.predict.MARGIN", 300)
    normals = normals_of(network, ellipsoid, block=200)
    order = np.random.default_rng(1).permutation(len(ellipsoid))
    for g in random_orthogonal(3).double().numpy():
        turned = normals_of(network, (ellipsoid @ g.T)[order], block=200)
        assert angle(turned, (normals @ g.T)[order]).max() < 0.1


def test_a_straight_wire_has_the_plane_of_the_cloud_as_in_one_pass(network: NormalEstimator) -> None:
    rng = np.random.default_rng(0)
    patch = np.concatenate([5 * rng.random((600, 2)), np.zeros((600, 1))], axis=1)
    wire = [50.0, 0.0, 0.0] + np.linspace(0, 1, 300)[:, None] * [2.0, 1.0, 0.5]
    in_blocks = normals_of(network, np.concatenate([patch, wire]), block=400)
    assert (np.abs(np.linalg.norm(in_blocks, axis=1) - 1) < 1e-6).all()
    assert angle(in_blocks, normals_of(network, np.concatenate([patch, wire]))).max() < 0.5


def test_on_a_line_there_is_no_normal_in_blocks(network: NormalEstimator) -> None:
    wire = np.linspace(0, 1, 300)[:, None] * [2.0, 1.0, 0.5]
    assert (normals_of(network, wire, block=100) == 0).all()


def test_equal_points_have_equal_normals_in_blocks(network: NormalEstimator, ellipsoid: np.ndarray) -> None:
    copies = np.random.default_rng(0).integers(1500, size=4000)
    normals = normals_of(network, ellipsoid[copies], block=300)
    first = {row: place for place, row in reversed(list(enumerate(copies)))}
    np.testing.assert_array_equal(normals, normals[[first[row] for row in copies]])


def test_clouds_of_uneven_density_keep_their_normals() -> None:
    """Of a head without pooled moments, whose coarse points reach far beyond the margin of a block here."""
    torch.manual_seed(0)
    backbone = PointNet2(widths=(8, 16), radii=(2.0,), neighbours=8)
    network = NormalEstimator(LearnedFrames(), backbone, partial(AxisHead, levels=2)).double().eval()
    rng = np.random.default_rng(0)
    far, turn = np.exp(rng.uniform(0, np.log(100), 30_000)), rng.uniform(0, 2 * np.pi, 30_000)
    scan = np.stack([far * np.cos(turn), far * np.sin(turn), 0.2 * far * np.sin(3 * np.log(far) + turn)], axis=1)
    off = angle(normals_of(network, scan, block=8000), normals_of(network, scan))
    assert np.quantile(off, 0.999) < 0.1


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
    calls: list[tuple[int, int]] = []
    normals_of(network, ellipsoid, block=400, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 4) for done in range(5)]
    shares: list[float] = []
    estimate_normals(ellipsoid, "fast", progress=lambda done, total: shares.append(done / total), block=400)
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert any(0.25 < share < 0.5 for share in shares)


def test_blocks_at_once_are_the_same_as_one_by_one(network: NormalEstimator, ellipsoid: np.ndarray) -> None:
    threads, found = torch.get_num_threads(), []
    for number in (1, 4):
        torch.set_num_threads(number)
        try:
            found.append(normals_of(network, ellipsoid, block=200))
        finally:
            torch.set_num_threads(threads)
    assert np.array_equal(*found)


def test_large_clouds_are_measured_on_a_sample(ellipsoid: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    estimator, whole = pretrained("best"), merged_cloud(ellipsoid)
    in_scale = (whole.pos - whole.pos.mean(0)) / whole.scale
    expected = variation_profile(in_scale, torch.arange(1500), weigh=True).float().unsqueeze(0)
    monkeypatch.setattr("tensorframes.normals.normalise.SAMPLED", 1499)
    monkeypatch.setattr("tensorframes.normals.estimator.SAMPLED", 1499)
    monkeypatch.setattr("tensorframes.normals.estimator.PROFILED", 700)
    assert merged_cloud(ellipsoid).scale == pytest.approx(whole.scale, rel=0.01)
    found = estimator.measured_profile(whole.pos, whole.scale)
    assert found is not None
    assert not torch.equal(found, expected)
    torch.testing.assert_close(found, expected, rtol=0, atol=0.02)


@pytest.mark.slow
def test_normals_in_blocks_are_those_of_one_pass() -> None:
    """With the shipped weights; a block of 8,000 points on a surface is 90 spacings wide, its margin 24."""
    rng = np.random.default_rng(0)
    u, v = rng.uniform(0, 2 * np.pi, (2, 30_000))
    points = np.stack([(3 + np.cos(v)) * np.cos(u), (3 + np.cos(v)) * np.sin(u), np.sin(v)], axis=1)
    off = angle(estimate_normals(points, "fast", block=8000), estimate_normals(points, "fast", block=None))
    assert np.quantile(off, 0.999) < 0.05


class Small(Estimator):
    """An estimator whose device has memory for passes of so many points."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.passes, self.weight = most, list[int](), torch.nn.Parameter(torch.ones(1))

    def forward(self, pos: Tensor, *args: Any, rows: Tensor, **kwargs: Any) -> Prediction:
        self.passes.append(len(pos))
        if len(pos) > self.most:
            raise torch.OutOfMemoryError("out of memory")
        return Prediction(torch.nn.functional.normalize(pos[rows], dim=-1), ())


def test_blocks_are_halved_until_they_fit(ellipsoid: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "LEAST", 100)
    monkeypatch.setattr(predict, "MARGIN", 0)
    estimator = Small(700).eval()
    assert (np.linalg.norm(normals_of(estimator, ellipsoid), axis=1) > 0.99).all()
    assert estimator.passes[0] == 1500
    assert max(estimator.passes[-4:]) <= 700
    with pytest.raises(torch.OutOfMemoryError):
        normals_of(Small(10).eval(), ellipsoid)
    with pytest.raises(torch.OutOfMemoryError):  # a size that was asked for stays
        normals_of(Small(700).eval(), ellipsoid, block=1000)


def test_a_gpu_takes_blocks_that_fit_into_half_of_its_memory() -> None:
    assert predict.block_on_gpu(2 * 200_000 * predict.BYTES) == 200_000
    assert predict.block_on_gpu(80 * 2**30) == 1_000_000
    assert predict.block_on_gpu(0) == 10_000


def test_a_block_has_a_point(ellipsoid: np.ndarray) -> None:
    with pytest.raises(ValueError, match='expected block >= 1, a whole number, "auto" or None, got 0'):
        estimate_normals(ellipsoid, block=0)
    with pytest.raises(ValueError, match="expected block >= 1, a whole number, \"auto\" or None, got 'all'"):
        estimate_normals(ellipsoid, block="all")  # type: ignore[call-overload]
