"""The measured error is that of the method: nothing for what turns along, the angle itself for what does not."""

from dataclasses import replace

import numpy as np
import pytest

from tensorframes.data import Cloud
from tensorframes.scoring import PCA, equivariance_error


@pytest.fixture
def sphere() -> Cloud:
    pos = np.random.default_rng(0).normal(size=(500, 3))
    pos /= np.linalg.norm(pos, axis=1, keepdims=True)
    return Cloud("sphere", pos=pos + [5, 0, 0], normal=pos)


class Outward:
    """Away from the mean, for all points but those whose x is beyond a limit: they get +z, or nothing."""

    name, oriented = "outward", True

    def __init__(self, limit: float = np.inf, instead: tuple[float, float, float] = (0, 0, 1)) -> None:
        self.limit, self.instead = limit, instead

    def __call__(self, points, rows=None):
        return np.where(points[:, :1] > self.limit, [self.instead], points)


@pytest.mark.parametrize("method", [PCA(20), Outward()], ids=["pca", "outward"])
def test_equivariant_methods_have_no_error(method, sphere):
    error = equivariance_error(method, sphere, elements=5)
    assert error.max < 0.01
    assert error.mean <= error.p99_9 <= error.max
    assert error.rmse_change < 1e-3
    assert (error.points, error.elements) == (500, 5)


def test_a_few_points_that_do_not_turn_show_in_the_tail(sphere):
    error = equivariance_error(Outward(limit=0.97), sphere, elements=5)
    assert error.mean < 5
    assert error.max > 45
    assert error.rmse_change > 0.1


def test_without_rounding_what_is_left_is_the_methods_own(sphere):
    rounded = equivariance_error(PCA(20), sphere, elements=5)
    exact = equivariance_error(PCA(20), sphere, elements=5, stored=np.float64)
    assert 1e-6 < rounded.max < 0.01
    assert exact.max < 1e-4 * rounded.max


def test_reflections_are_told_from_rotations(sphere):
    class Handed(Outward):
        def __call__(self, points, rows=None):
            return np.sign(np.linalg.det(points[:3].astype(float))) * points

    assert equivariance_error(Handed(), sphere, group="so3").max < 0.01
    assert equivariance_error(Handed(), sphere, group="o3").max == pytest.approx(180, abs=0.01)


def test_missing_normals_agree_with_each_other_only(sphere):
    assert equivariance_error(Outward(limit=-9, instead=(0, 0, 0)), sphere).max == 0
    assert equivariance_error(Outward(limit=0, instead=(0, 0, 0)), sphere).max == 90


def test_clouds_without_normals_have_no_rmse(sphere):
    error = equivariance_error(Outward(), Cloud("bare", pos=sphere.pos), elements=1)
    assert error.as_dict()["rmse"] is None
    assert error.rmse_change is None


def test_the_rmse_is_that_of_the_labelled_points(sphere):
    tilted = np.where(np.arange(500)[:, None] < 20, sphere.normal, np.roll(sphere.normal, 1, axis=1))
    partly = replace(sphere, normal=np.where(np.arange(500)[:, None] < 20, sphere.normal, 0))
    assert equivariance_error(Outward(), replace(sphere, normal=tilted), elements=1).rmse > 10
    error = equivariance_error(Outward(), partly, elements=1)
    assert error.rmse < 5
    assert error.points == 500


def test_at_least_one_element_is_drawn(sphere):
    with pytest.raises(ValueError, match="at least one element"):
        equivariance_error(Outward(), sphere, elements=0)
