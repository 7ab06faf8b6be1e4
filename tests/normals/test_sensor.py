"""The position of a sensor from the points of its scan, and signs toward it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tensorframes import orient_normals, sensor_position
from tensorframes.data.synthetic import make_shape
from tensorframes.data.synthetic.sampling import DepthImage, SpinningLidar
from tensorframes.data.synthetic.shapes import fields
from tensorframes.data.synthetic.shapes.kinds import KINDS
from tensorframes.data.synthetic.shapes.sampling import Implicit
from tensorframes.normals.orient.sensor import find_sensor, unevenness_and_layers

BALL = Implicit(fields.Sphere(0.7))
LIDAR = SpinningLidar(rings=64, down=-25.0, up=10.0, noise=0.01, alone=0.0, size=20.0, step=0.4, narrowest=360.0)
CAMERA = DepthImage(views=1, scene=1.0, noise=0.3, lost=0.1, mixed=0.0)


def scan(way, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions and normals of a street with balls; the sensor stands at the origin."""
    return way.sample(BALL, 4000, np.random.default_rng(seed))


@pytest.mark.parametrize("way", [LIDAR, CAMERA], ids=["lidar", "camera"])
def test_the_sensor_is_where_its_rays_are_even(way):
    pos, normal = scan(way, 1)
    sensor = find_sensor(pos)
    size = np.sqrt(((pos - pos.mean(0)) ** 2).sum(1).mean())
    assert np.linalg.norm(sensor.position) < 0.15 * size
    assert sensor.scanned
    signs, side_known = sensor.signs_of(pos, normal)
    assert signs[(normal != 0).any(1)].mean() > 0.999
    assert side_known


def test_the_position_follows_rotations_reflections_and_scales():
    pos, _ = scan(LIDAR, 0)
    position = find_sensor(pos).position
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    turn *= -np.sign(np.linalg.det(turn))
    moved = 7 * pos[::-1] @ turn.T + [100.0, -20.0, 3.0]
    # The search ends when it moves less than a thousandth of the extent, about 100.
    assert np.allclose(find_sensor(moved).position, 7 * turn @ position + [100.0, -20.0, 3.0], atol=0.1)


@pytest.mark.parametrize("way", [LIDAR, CAMERA], ids=["lidar", "camera"])
def test_normals_of_a_scan_face_the_sensor(way):
    pos, normal = scan(way, 2)
    given = normal * np.random.default_rng(0).choice([-1.0, 1.0], (len(normal), 1))
    oriented = orient_normals(pos, given, "outward")
    labelled = (normal != 0).any(1)
    assert ((oriented * normal).sum(1)[labelled] > 0).mean() > 0.995
    consistent = orient_normals(pos, given, "consistent")
    assert np.array_equal(np.abs(consistent), np.abs(given))


def test_a_sensor_is_found_in_any_coordinates_beside_points_that_take_no_part():
    pos, _ = scan(LIDAR, 0)
    found = sensor_position(pos)
    assert np.linalg.norm(found) < 1
    far = [4e5, 5e6, 100.0]
    others = np.concatenate([np.full((5, 3), np.nan), np.zeros((200, 3)), pos + far, pos[:10] + far])
    assert np.allclose(sensor_position(others), far + found, atol=0.05)
    with np.errstate(all="raise", under="ignore"):
        assert np.allclose(sensor_position(torch.from_numpy(1e300 * pos)), 1e300 * found, atol=1e298)
    assert sensor_position(np.zeros((3, 3))) is None
    assert sensor_position(np.full((3, 3), np.nan)) is None
    with pytest.raises(ValueError, match="expected points"):
        sensor_position(np.zeros((3, 2)))


@pytest.mark.parametrize("index", range(0, len(KINDS), 4), ids=[kind.__name__ for kind in KINDS[::4]])
def test_closed_shapes_have_no_sensor(index):
    pos = np.asarray(make_shape(3, "test", index, 2000).pos)
    assert sensor_position(pos) is None


def test_few_points_and_equal_directions_have_no_sensor():
    rng = np.random.default_rng(0)
    assert find_sensor(rng.standard_normal((200, 3))) is None
    assert find_sensor(rng.standard_normal((1000, 3))) is None
    assert find_sensor(np.linspace(0, 1, 1000)[:, None] * [1.0, 2.0, 3.0]) is None


def test_a_surface_that_looks_alike_from_both_sides_keeps_the_sign_of_most_of_its_normals():
    flat = np.concatenate([np.random.default_rng(0).uniform(-1, 1, (1000, 2)), np.zeros((1000, 1))], 1)
    for sign in (1.0, -1.0):
        assert np.array_equal(
            orient_normals(flat, sign * np.tile([0.0, 0.0, 1.0], (1000, 1)))[:, 2], np.full(1000, sign)
        )


def test_the_middle_of_a_closed_shape_of_uneven_density_is_no_sensor():
    rng = np.random.default_rng(0)
    ray = rng.standard_normal((10_000, 3))
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    ray = ray[rng.random(len(ray)) < 0.1 + 0.9 * ((1 + ray[:, 2]) / 2) ** 2][:2500]
    assert sensor_position(ray) is None
    # Bumps and noise hide that it is closed, so that a sensor is searched.
    radius = 1 + 0.2 * np.sin(5 * ray[:, :1]) * np.cos(4 * ray[:, 1:2])
    pos = radius * ray + 0.04 * rng.standard_normal(ray.shape)
    oriented = orient_normals(pos, ray * rng.choice([-1.0, 1.0], (len(ray), 1)))
    assert ((oriented * ray).sum(1) > 0).all()


def test_unevenness_of_random_and_of_regular_directions():
    rng = np.random.default_rng(0)
    ray = rng.standard_normal((20_000, 3))
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    far = ray * rng.uniform(1, 1.01, (20_000, 1))
    assert unevenness_and_layers(far, np.zeros(3))[0] == pytest.approx(0.183, abs=0.005)
    assert unevenness_and_layers(ray, np.zeros(3))[1] == 1
    assert unevenness_and_layers(ray, np.array([3.0, 0.0, 0.0]))[1] < 0.7  # both sides of the sphere
    twice = replace(LIDAR, noise=0.0)
    assert unevenness_and_layers(scan(twice, 0)[0], np.zeros(3))[0] < 0.2
