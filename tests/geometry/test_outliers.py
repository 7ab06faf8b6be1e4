import numpy as np
import pytest

from tensorframes.geometry.outliers import CROWD, FARTHEST, TIMES, crowded_rows, far_rows, within_range

RNG = np.random.default_rng(0)
BALL = RNG.standard_normal((2000, 3))
SPHERE = BALL / np.linalg.norm(BALL, axis=1, keepdims=True)
NORMAL_CLOUDS = {
    "ball": BALL,
    "plate": BALL * [1, 1, 1e-9],
    "wire": BALL * [1, 1e-6, 1e-9],
    "survey": BALL + [3.4e6, 5.8e6, 100],
    "one dense cluster": np.concatenate([BALL[:1500] * 1e-3, BALL[1500:] + 1]),
    "eight clusters": BALL[:1000] * 1e-5 + np.resize(np.argwhere(np.ones((2, 2, 2))), (1000, 3)),
    "along a road": np.c_[np.geomspace(1, 1000, 2000), BALL[:, 1:]],
    "mostly copies": np.concatenate([np.zeros((1500, 3)), BALL[:500]]),
    "one place": np.ones((5, 3)),
    "two points": np.array([[0.0, 0, 0], [1e9, 0, 0]]),
    "one point": np.array([[1e9, 0, 0]]),
    "none": np.zeros((0, 3)),
    "huge": BALL * 1e300,
    "minute": BALL * 1e-300,
}


@pytest.mark.parametrize("name", NORMAL_CLOUDS)
def test_normal_clouds_keep_every_row(name: str) -> None:
    points = NORMAL_CLOUDS[name]
    assert far_rows(points).shape == (len(points),)
    assert not far_rows(points).any()


@pytest.mark.parametrize("far", [1e6, -1e15, 1e200, 1.7e308])
def test_sentinels_are_far_wherever_the_cloud_lies(far: float) -> None:
    for offset in (0.0, 100.0):
        points = np.insert(BALL + offset, [3, 900, 2000], [0.0, far, 0.0], axis=0)
        np.testing.assert_array_equal(np.flatnonzero(far_rows(points)), [3, 901, 2002])


def test_the_bound_is_the_written_one() -> None:
    ring = np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4), np.zeros(8)], 1)
    ring = np.concatenate([ring, np.zeros((3, 3))])
    for factor, expected in ((0.99, False), (1.01, True)):
        points = np.concatenate([ring, [[0, 0, factor * FARTHEST]]])
        assert far_rows(points)[-1] == expected


CROWDED_CLOUDS = {name: cloud for name, cloud in NORMAL_CLOUDS.items() if name != "mostly copies"}
CROWDED_CLOUDS |= {
    "every point 100 times": np.repeat(BALL, 100, axis=0),
    "one point 49 times": np.concatenate([BALL, np.zeros((CROWD - 1, 3))]),
    "9 times the mean": np.concatenate([np.repeat(SPHERE[:40], 60, axis=0), np.full((9 * 60, 3), 99.0)]),
    "poles of meridians": np.concatenate([np.repeat([[0.0, 0, 1], [0, 0, -1]], 300, axis=0), SPHERE]),
    "padded with the last point": np.concatenate([SPHERE, np.repeat(SPHERE[-1:], 2000, axis=0)]),
    "integers": np.argwhere(np.ones((20, 20, 20))),
}


@pytest.mark.parametrize("name", CROWDED_CLOUDS)
def test_copies_that_are_no_crowd_keep_every_row(name: str) -> None:
    rows = crowded_rows(CROWDED_CLOUDS[name])
    assert rows.shape == (len(CROWDED_CLOUDS[name]),)
    assert not rows.any()


@pytest.mark.parametrize("place", [(0.0, -0.0, 0.0), (1.5, -2.0, 3.0)])
@pytest.mark.parametrize("count", [CROWD, 500, 6000])
def test_many_rows_at_one_place_are_crowded_wherever_and_in_any_order(place: tuple[float, ...], count: int) -> None:
    order = np.random.default_rng(1).permutation(len(SPHERE) + count)
    crowd = np.tile(place, (count, 1)) * np.resize([[1.0], [1.0 if any(place) else -1.0]], (count, 1))
    points = np.concatenate([SPHERE, crowd])[order]
    for moved in (points, points.astype(np.float32), points + [64.0, 0.0, -1024.0]):
        np.testing.assert_array_equal(crowded_rows(moved), order >= len(SPHERE))


def test_the_crowd_is_measured_by_the_mean_at_a_place() -> None:
    for times, expected in ((TIMES, 0), (TIMES + 3, 60 * (TIMES + 3))):
        points = np.concatenate([np.repeat(SPHERE[:500], 60, axis=0), np.full((60 * times, 3), 9.0)])
        assert crowded_rows(points).sum() == expected


@pytest.mark.parametrize("size", [1e300, 1e-300])
def test_points_are_brought_within_range_exactly(size: float) -> None:
    points = BALL * size
    near = within_range(points)
    assert 0.1 < np.abs(near).max() <= 1
    np.testing.assert_array_equal(near / near[0, 0], points / points[0, 0])
    assert within_range(BALL) is BALL
