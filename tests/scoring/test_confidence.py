"""Calibration and sparsification of expected errors."""

import numpy as np
import pytest

from tensorframes.scoring.confidence import (
    REMOVED,
    area,
    calibration_error,
    confidence_scores,
    reliability,
    sparsification,
    surface_variation,
)


def test_right_expectations_are_calibrated_and_doubled_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    scale = rng.uniform(1, 10, 20000)
    observed = rng.exponential(scale)
    right, wrong = reliability(scale, observed), reliability(2 * scale, observed)
    assert calibration_error(right) < 0.15
    assert calibration_error(wrong) == pytest.approx(5.5, abs=0.15)
    assert [entry["points"] for entry in right] == [2000] * 10


def test_the_oracle_removes_the_largest_errors_and_a_constant_removes_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = np.arange(100.0)
    oracle, even = sparsification(errors, errors), sparsification(np.zeros(100), errors)
    assert oracle[0] == even[0] == 49.5
    assert oracle[10] == pytest.approx(24.5)
    assert np.allclose(even, 49.5)
    monkeypatch.delattr(np, "trapezoid", raising=False)  # as in NumPy before 2.0
    assert area(oracle, oracle) == 0
    assert 0.2 < area(even, oracle) < 0.5
    assert len(oracle) == len(REMOVED)


def test_the_order_of_points_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    uncertainty, errors, order = rng.integers(0, 5, 200), rng.exponential(size=200), rng.permutation(200)
    assert np.allclose(sparsification(uncertainty, errors), sparsification(uncertainty[order], errors[order]))


def test_surface_variation_is_that_of_the_neighbourhood() -> None:
    rng = np.random.default_rng(0)
    flat = np.column_stack([rng.uniform(size=(300, 2)), np.zeros(300)])
    ball = rng.normal(size=(300, 3))
    assert surface_variation(flat, np.arange(300)).max() < 1e-12
    assert surface_variation(ball, np.arange(300)).mean() > 0.05


def test_surface_variation_of_no_rows() -> None:
    assert surface_variation(np.eye(3), np.zeros(0, dtype=np.int64)).shape == (0,)


def test_scores_of_clouds() -> None:
    rng = np.random.default_rng(0)
    scale = rng.uniform(1, 10, 5000)
    observed = rng.exponential(scale)
    scores = confidence_scores([(scale, observed, rng.uniform(size=5000))])
    assert scores["expected"] == pytest.approx(5.5, abs=0.2)
    assert scores["area"]["expected"] < 0.6 * scores["area"]["surface_variation"]


@pytest.mark.parametrize("wrong", [([], []), ([1.0], [1.0, 2.0])])
def test_other_arrays_are_refused(wrong: tuple[list[float], list[float]]) -> None:
    with pytest.raises(ValueError, match="as many numbers"):
        reliability(*wrong)
