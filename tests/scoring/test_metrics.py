"""Angles, RMSE, PGP and the flip, against values worked out by hand."""

import numpy as np
import pytest

from tensorframes.scoring.metrics import angles, check_predictions, flipped, pgp, rmse

UP = np.array([[0.0, 0.0, 1.0]])


def tilted(degrees: float) -> np.ndarray:
    """The vector (1, 3) at so many degrees from UP."""
    return np.array([[np.sin(np.radians(degrees)), 0.0, np.cos(np.radians(degrees))]])


@pytest.mark.parametrize("degrees", [0, 1e-9, 1e-4, 5, 45, 89.999, 90])
def test_unoriented_angles_to_the_last_digits(degrees):
    for truth in (UP, -UP):
        assert angles(tilted(degrees), truth) == pytest.approx(degrees, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("degrees", [0, 1e-9, 60, 90, 120, 180 - 1e-6, 180])
def test_oriented_angles(degrees):
    assert angles(tilted(degrees), UP, oriented=True) == pytest.approx(degrees, rel=1e-12, abs=1e-14)
    assert angles(-tilted(degrees), UP, oriented=True) == pytest.approx(180 - degrees, rel=1e-12, abs=1e-13)


def test_angles_are_the_protocols_arccos():
    rng = np.random.default_rng(0)
    normal, truth = rng.normal(size=(2, 1000, 3))
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (normal, truth)]
    cosine = (unit[0] * unit[1]).sum(1)
    assert angles(normal, truth) == pytest.approx(np.degrees(np.arccos(np.clip(abs(cosine), 0, 1))), abs=1e-6)
    signed = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    assert angles(normal, truth, oriented=True) == pytest.approx(signed, abs=1e-6)


@pytest.mark.parametrize("length", [1e-300, 1e-40, 0.5, 7.0, 1e300])
def test_lengths_do_not_matter(length):
    assert angles(length * tilted(30), UP) == pytest.approx(30)


@pytest.mark.parametrize("length", [1e-300, 1e-40, 7.0, 1e300])
def test_lengths_of_true_normals_do_not_matter(length):
    for degrees in (0, 45, 90):
        assert angles(UP, length * tilted(degrees)) == pytest.approx(degrees, abs=1e-12)
        assert angles(UP, -length * tilted(degrees), oriented=True) == pytest.approx(180 - degrees, abs=1e-12)


def test_float32_normals_equal_to_the_truth_have_no_error():
    normal = np.random.default_rng(1).normal(size=(1000, 3)).astype(np.float32)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    assert angles(normal, normal).max() < 1e-13


def test_rows_without_a_normal_and_rows_not_finite_count_as_90():
    normal = np.array([[0, 0, 0], [np.nan, 0, 1], [np.inf, 0, 0], [0, 0, -1.0]])
    truth = np.repeat(UP, 4, axis=0)
    assert angles(normal, truth).tolist() == [90, 90, 90, 0]
    assert angles(normal, truth, oriented=True).tolist() == [90, 90, 90, 180]
    checked = check_predictions(normal)
    assert checked.no_normal.tolist() == [True, False, False, False]
    assert checked.not_finite.tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("normal", "truth", "words"),
    [
        (np.zeros(3), UP, r"shape \(N, 3\), got \(3,\)"),
        (np.zeros((4, 2)), UP, r"got \(4, 2\)"),
        (np.zeros((2, 3)), UP, r"as many predictions as true normals \(1\), got 2"),
        (UP, np.zeros((1, 3)), "finite and not zero, got 1 others of 1"),
        (UP, np.full((1, 3), np.nan), "finite and not zero"),
    ],
)
def test_wrong_input_is_named(normal, truth, words):
    with pytest.raises(ValueError, match=words):
        angles(normal, truth)


def test_rmse_by_hand():
    assert rmse([3.0, 4.0, 0.0, 0.0]) == 2.5  # sqrt(25 / 4)
    with pytest.raises(ValueError, match="at least one"):
        rmse([])
    with pytest.raises(ValueError, match="finite"):
        rmse([np.nan])


def test_pgp_counts_strictly_below():
    assert pgp([0.0, 5.0, 9.99, 10.0, 31.0]) == {"5": 0.2, "10": 0.6, "15": 0.8, "20": 0.8, "25": 0.8, "30": 0.8}


def test_a_shape_is_flipped_only_if_more_than_half_is_beyond_90():
    assert flipped([170.0, 100.0, 10.0]).tolist() == [10, 80, 170]
    assert flipped([170.0, 10.0]).tolist() == [170, 10]  # exactly half: as it is
    assert flipped([90.0, 90.0, 91.0]).tolist() == [90, 90, 91]  # 90 is not beyond 90
    assert flipped([180.0, 180.0, 90.0]).tolist() == [0, 0, 90]  # no normal stays at 90
