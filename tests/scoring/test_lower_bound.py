"""The least possible error, against what can be worked out by hand."""

import numpy as np
import pytest
from scipy.stats import norm

from tensorframes.scoring import oracle_lower_bound, oracle_signs, rmse


def sphere(count: int, rng: np.random.Generator) -> np.ndarray:
    points = rng.normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def edge(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two half planes at a right angle, z = 0 for x < 0 and x = 0 for z < 0."""
    points = rng.uniform(-1, 1, (count, 3))
    flat = rng.random(count) < 0.5
    points[:, 0] = np.where(flat, -np.abs(points[:, 0]), 0)
    points[:, 2] = np.where(flat, 0, -np.abs(points[:, 2]))
    return points, np.where(flat[:, None], [0.0, 0, 1], [1.0, 0, 0])


def test_a_plane_can_be_known_exactly() -> None:
    rng = np.random.default_rng(0)
    surface = np.c_[rng.uniform(-1, 1, (20_000, 2)), np.zeros(20_000)]
    up = np.tile([0.0, 0, 1], (len(surface), 1))
    seen = surface[:50] + rng.normal(size=(50, 3)) * 0.05
    assert oracle_lower_bound(seen, up[:50], surface[50:], up[50:], 0.05).max() < 1e-6


def test_on_a_sphere_it_is_how_far_points_moved_along_it() -> None:
    """Along the surface the point may have been sigma off in two directions: sqrt(2) sigma / radius in radians."""
    rng, sigma = np.random.default_rng(0), 0.05
    clean, surface = sphere(1500, rng), sphere(40_000, rng)
    seen = clean + rng.normal(size=clean.shape) * sigma
    least = rmse(oracle_lower_bound(seen, clean, surface, surface, sigma))
    assert least == pytest.approx(np.degrees(np.sqrt(2) * sigma), rel=0.04)


def test_at_an_edge_no_other_axis_is_better() -> None:
    """No answer from a grid of axes has a smaller mean square error over many points seen at about one place."""
    rng, sigma = np.random.default_rng(0), 0.05
    clean, normal = edge(400_000, rng)
    seen = clean + rng.normal(size=clean.shape) * sigma
    here = np.linalg.norm(seen[:, [0, 2]] - [-0.04, -0.01], axis=1) < 0.01
    assert here.sum() > 200
    surface, normals = edge(100_000, rng)
    least = rmse(oracle_lower_bound(seen[here], normal[here], surface, normals, sigma))
    turn = np.linspace(0, np.pi, 361)
    axes = np.stack([np.sin(turn), 0 * turn, np.cos(turn)], axis=1)
    others = np.degrees(np.arccos(np.abs(axes @ normal[here].T).clip(0, 1)))
    best = np.sqrt(np.square(others).mean(1)).min()
    assert best > 20
    assert least == pytest.approx(best, rel=0.02)


@pytest.mark.parametrize("deviations", [1.0, 2.0, 4.0])
def test_signs_of_a_plate_are_known_as_far_as_its_middle_plane_divides_the_points(deviations: float) -> None:
    """Of two parallel planes t apart, the nearer one is right at the share Phi(t / 2 sigma) of the points."""
    rng, sigma = np.random.default_rng(0), 0.05
    side = rng.choice([-1.0, 1.0], 12_000)
    plate = np.c_[rng.uniform(-1, 1, (12_000, 2)), side * deviations * sigma / 2]
    normal = np.c_[np.zeros((12_000, 2)), side]
    seen = plate[:2000] + rng.normal(size=(2000, 3)) * sigma
    right = oracle_signs(seen, normal[:2000], plate[2000:], normal[2000:], sigma)
    assert right.mean() == pytest.approx(norm.cdf(deviations / 2), abs=0.025)


def test_one_direction_is_on_the_side_of_both_normals_of_an_edge() -> None:
    """Also of a sharp one, with 150 degrees between the normals, where neither normal is on the other's side."""
    rng, sigma, turn = np.random.default_rng(0), 0.1, np.radians(15.0)
    side, along = rng.choice([-1.0, 1.0], 12_000), -rng.uniform(0, 1, 12_000)
    normal = np.stack([np.full(12_000, np.sin(turn)), np.zeros(12_000), side * np.cos(turn)], axis=1)
    wedge = np.stack([along * np.cos(turn), rng.uniform(-1, 1, 12_000), -side * along * np.sin(turn)], axis=1)
    seen = wedge[:500] + rng.normal(size=(500, 3)) * sigma
    assert oracle_signs(seen, normal[:500], wedge[500:], normal[500:], sigma).all()


def test_drawing_from_many_changes_little() -> None:
    rng = np.random.default_rng(0)
    clean, surface = sphere(300, rng), sphere(40_000, rng)
    seen = clean + rng.normal(size=clean.shape) * 0.1
    every = oracle_lower_bound(seen, clean, surface, surface, 0.1, most=100_000)
    some = oracle_lower_bound(seen, clean, surface, surface, 0.1, most=500)
    assert rmse(some) == pytest.approx(rmse(every), rel=0.03)


def test_a_point_that_nothing_is_near_to_takes_the_nearest() -> None:
    found = oracle_lower_bound([[0.0, 0, 2]], [[0.0, 0, 1]], [[0.0, 0, 0], [5, 5, 5]], [[0.0, 0, 2], [1, 0, 0]], 0.1)
    assert found.tolist() == [0]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sigma": 0.0}, "expected sigma > 0 and most >= 1, got 0.0 and 2500"),
        ({"most": 0}, "expected sigma > 0 and most >= 1, got 0.1 and 0"),
        ({"normals": [[0.0, 0, 1]]}, "expected 2 normals, got 1"),
        ({"truth": np.ones((2, 3))}, "expected 1 true normals, got 2"),
        ({"surface": np.ones((0, 3)), "normals": np.ones((0, 3))}, "expected points of the surface, got none"),
    ],
)
def test_wrong_input_is_told(change: dict, told: str) -> None:
    given = {
        "observed": [[0.0, 0, 0]],
        "truth": [[0.0, 0, 1]],
        "surface": [[0.0, 0, 0], [1, 0, 0]],
        "normals": [[0.0, 0, 1], [0, 0, 1]],
        "sigma": 0.1,
    }
    with pytest.raises(ValueError, match=told):
        oracle_lower_bound(**{**given, **change})
