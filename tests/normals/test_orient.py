"""Oriented normals: right on closed shapes, consistent on open ones, and what has no normal keeps none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

import tensorframes

Cloud = tuple[np.ndarray, np.ndarray]


def sphere(count: int, radius: float = 1.0, seed: int = 0) -> Cloud:
    normal = np.random.default_rng(seed).normal(size=(count, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    return radius * normal, normal


def torus(count: int) -> Cloud:
    u, v = np.random.default_rng(0).uniform(0, 2 * np.pi, (2, count))
    normal = np.stack([np.cos(v) * np.cos(u), np.cos(v) * np.sin(u), np.sin(v)], axis=1)
    return np.stack([np.cos(u), np.sin(u), 0 * u], axis=1) + 0.4 * normal, normal


def box(count: int, *half: float) -> Cloud:
    """Points on the faces of a box, evenly by area."""
    rng = np.random.default_rng(0)
    sides = np.array(half)
    face = rng.choice(3, count, p=(1 / sides) / (1 / sides).sum())
    pos, side = rng.uniform(-1, 1, (count, 3)), rng.choice([-1.0, 1.0], count)
    pos[np.arange(count), face] = side
    return pos * sides, np.eye(3)[face] * side[:, None]


def two_spheres(count: int) -> Cloud:
    """Apart, of different sizes."""
    (a, n), (b, m) = sphere(count), sphere(count // 2, 0.5, seed=1)
    return np.concatenate([a, b + [2.0, 0, 0]]), np.concatenate([n, m])


def hollow(count: int, inner: float = 0.6) -> Cloud:
    """A ball with a cavity: the normals of the inner sphere point inward, out of the material."""
    (a, n), (b, m) = sphere(count), sphere(count // 2, inner, seed=1)
    return np.concatenate([a, b]), np.concatenate([n, -m])


def cup(count: int) -> Cloud:
    """A cylinder with a wall and a bottom of a tenth of its radius, open on top."""
    rng = np.random.default_rng(0)
    inner, floor, height, full = 0.9, 0.1, 2.0, 2 * np.pi
    area = full * np.array([height, inner * (height - floor), 1 / 2, inner**2 / 2, (1 - inner**2) / 2])
    face = rng.choice(5, count, p=area / area.sum())
    turn, along = rng.uniform(0, full, count), rng.uniform(size=count)
    disc, ring = np.sqrt(along), np.sqrt(inner**2 + along * (1 - inner**2))
    radius = np.choose(face, [1.0, inner, disc, inner * disc, ring])
    z = np.choose(face, [height * along, floor + (height - floor) * along, 0.0, floor, height])
    out, up = np.choose(face, [1, -1, 0, 0, 0]), np.choose(face, [0, 0, -1, 1, 1])
    x, y = np.cos(turn), np.sin(turn)
    return np.stack([radius * x, radius * y, z], axis=1), np.stack([out * x, out * y, up], axis=1)


def terrain(count: int) -> Cloud:
    """Hills, whose normals point up."""
    x, y = np.random.default_rng(0).uniform(-3, 3, (2, count))
    z = 0.3 * np.sin(3 * x) * np.cos(2 * y)
    slope = [-0.9 * np.cos(3 * x) * np.cos(2 * y), 0.6 * np.sin(3 * x) * np.sin(2 * y), np.ones(count)]
    normal = np.stack(slope, axis=1)
    return np.stack([x, y, z], axis=1), normal / np.linalg.norm(normal, axis=1, keepdims=True)


def balls_before_a_wall(count: int) -> Cloud:
    """What a scanner far away along z sees of them: the balls' front halves, and the wall but for their shadows."""
    rng = np.random.default_rng(0)
    centres = np.array([[-1.2, 0.3, 1.0], [0.2, -0.9, 2.0], [1.1, 0.9, 1.5]])
    front = sphere(count, 0.5)[1]
    front[:, 2] = np.abs(front[:, 2])
    wall = np.column_stack([rng.uniform(-2, 2, (4 * count, 2)), np.zeros(4 * count)])
    seen = (np.linalg.norm(wall[:, None, :2] - centres[:, :2], axis=2) > 0.5).all(axis=1)
    pos = [centre + 0.5 * front for centre in centres]
    return np.concatenate([*pos, wall[seen]]), np.concatenate([*[front] * 3, np.tile([0.0, 0.0, 1.0], (seen.sum(), 1))])


def roofs(count: int) -> Cloud:
    """Four gable roofs above flat ground, without walls, as an airborne scanner sees them."""
    rng = np.random.default_rng(0)
    pos, normal = [], []
    for x, y in ((-2, -2), (-2, 2), (2, -2), (2, 2)):
        across, along = rng.uniform(-1, 1, (2, count))
        pos.append(np.stack([x + across, y + along, 2 - np.abs(across)], axis=1))
        normal.append(np.stack([np.sign(across), 0 * across, np.ones(count)], axis=1) / np.sqrt(2))
    ground = rng.uniform(-4, 4, (8 * count, 2))
    open_air = (np.abs(np.abs(ground) - 2) > 1).any(axis=1)
    pos.append(np.column_stack([ground[open_air], np.zeros(open_air.sum())]))
    normal.append(np.tile([0.0, 0.0, 1.0], (open_air.sum(), 1)))
    return np.concatenate(pos), np.concatenate(normal)


def noisy(count: int) -> Cloud:
    """A torus with noise of several spacings, and normals with errors of about ten degrees."""
    pos, normal = torus(count)
    rng = np.random.default_rng(1)
    rough = normal + 0.12 * rng.normal(size=normal.shape)
    return pos + 0.03 * rng.normal(size=pos.shape), rough / np.linalg.norm(rough, axis=1, keepdims=True)


def in_noise(cloud: Cloud, deviation: float) -> Cloud:
    pos, normal = cloud
    return pos + deviation * np.random.default_rng(1).normal(size=pos.shape), normal


def shuffled(normal: np.ndarray) -> np.ndarray:
    """The normals with random signs."""
    return normal * np.random.default_rng(7).choice([-1.0, 1.0], len(normal))[:, None]


def right(found: np.ndarray, normal: np.ndarray) -> float:
    return float(((found * normal).sum(axis=1) > 0).mean())


CLOSED = {
    "sphere": (sphere(1500), 1.0),
    "torus": (torus(3000), 1.0),
    "cube": (box(3000, 1, 1, 1), 0.99),
    "sheet of a fiftieth": (box(6000, 1, 1, 0.02), 0.98),
    "two spheres": (two_spheres(1500), 1.0),
    "hollow ball": (hollow(2000), 1.0),
    "hollow ball with a thin wall": (hollow(4000, 0.9), 1.0),
    "cup": (cup(6000), 0.99),
    "noisy torus": (noisy(4000), 0.98),
    "cup in noise of a fifth of its wall": (in_noise(cup(20000), 0.02), 0.97),
}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_shapes_come_out_outward(name: str) -> None:
    (pos, normal), least = CLOSED[name]
    found = tensorframes.orient_normals(pos, shuffled(normal))
    assert right(found, normal) >= least
    assert np.array_equal(np.abs(found), np.abs(normal))


def test_open_sheets_are_consistent_and_keep_most_of_their_signs() -> None:
    xy = np.random.default_rng(0).uniform(-1, 1, (1500, 2))
    pos = np.column_stack([xy, 0 * xy[:, :1]])
    given = np.tile([0.0, 0.0, -1.0], (1500, 1))
    given[::3] *= -1
    for method in ("outward", "consistent"):
        assert (tensorframes.orient_normals(pos, given, method)[:, 2] == -1).all()
        assert (tensorframes.orient_normals(pos, -given, method)[:, 2] == 1).all()


@pytest.mark.parametrize("method", ["outward", "consistent"])
def test_no_part_of_a_terrain_is_turned(method: str) -> None:
    pos, normal = terrain(2000)
    given = shuffled(normal)
    found = right(tensorframes.orient_normals(pos, given, method), normal)
    assert found == float(right(given, normal) >= 0.5)


@pytest.mark.parametrize("scene", [balls_before_a_wall, roofs])
def test_parts_seen_from_one_side_turn_to_it_together(scene: Callable[[int], Cloud]) -> None:
    pos, normal = scene(500)
    for given in (shuffled(normal), -shuffled(normal)):
        found = right(tensorframes.orient_normals(pos, given), normal)
        assert max(found, 1 - found) > 0.998


def test_consistent_keeps_the_signs_of_most_points_of_each_part() -> None:
    pos, normal = two_spheres(1000)
    given = normal.copy()
    given[:1000] *= -1
    given[::4] *= -1
    found = tensorframes.orient_normals(pos, given, "consistent")
    assert right(found[:1000], normal[:1000]) == 0
    assert right(found[1000:], normal[1000:]) == 1


@pytest.mark.parametrize("shape", [CLOSED["cube"][0], CLOSED["hollow ball"][0], balls_before_a_wall(500)])
def test_pose_scale_and_order_do_not_matter(shape: Cloud) -> None:
    pos, normal = shape
    given = shuffled(normal)
    sign = (tensorframes.orient_normals(pos, given) * given).sum(axis=1)
    turn = Rotation.random(random_state=3).as_matrix() * [1, -1, 1]
    turned = tensorframes.orient_normals(1e5 + 30 * pos @ turn.T, given @ turn.T)
    order = np.random.default_rng(5).permutation(len(pos))
    other = tensorframes.orient_normals(pos[order], given[order])
    assert ((turned * (given @ turn.T)).sum(axis=1) * sign > 0).mean() > 0.998
    assert ((other * given[order]).sum(axis=1) * sign[order] > 0).mean() > 0.998
    again = tensorframes.orient_normals(pos, given)
    assert np.array_equal((again * given).sum(axis=1), sign)


def test_toward_a_viewpoint_and_up() -> None:
    pos, normal = sphere(300)
    given = shuffled(normal)
    toward = tensorframes.orient_normals(pos, given, "viewpoint", viewpoint=[0.2, 0, 0])
    assert right(toward, -normal) == 1
    assert (tensorframes.orient_normals(pos, given, "up")[:, 2] >= 0).all()
    assert (tensorframes.orient_normals(pos, given, "up", up=(0, -2, 0))[:, 1] <= 0).all()


def test_toward_a_viewpoint_of_each_point() -> None:
    pos, normal = sphere(300)
    given, inside = shuffled(normal), np.arange(300) % 3 == 0
    viewpoints = np.where(inside[:, None], [0.2, 0, 0], 3 * pos)
    given[5] = 0
    found = tensorframes.orient_normals(pos, given, "viewpoint", viewpoint=viewpoints)
    expected = np.where(inside[:, None], -normal, normal)
    expected[5] = 0
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("method", ["outward", "consistent", "up"])
def test_points_without_a_normal_stay_so_and_copies_agree(method: str) -> None:
    pos, normal = sphere(800)
    given = shuffled(normal)
    given[:20] = 0
    pos, given = np.concatenate([pos, pos[100:300]]), np.concatenate([given, -given[100:300]])
    pos[50], given[60] = np.nan, np.inf
    found = tensorframes.orient_normals(pos, given, method)
    assert not found[:20].any()
    assert np.array_equal(found[[50, 60]], given[[50, 60]])
    assert np.array_equal(found[800:], found[100:300])
    if method == "outward":
        assert right(found[61:800], normal[61:]) == 1


@pytest.mark.parametrize("method", ["outward", "consistent"])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 20])
def test_a_few_points(method: str, count: int) -> None:
    pos, normal = sphere(count)
    found = tensorframes.orient_normals(pos, shuffled(normal), method)
    assert np.array_equal(np.abs(found), np.abs(normal))
    line = np.arange(count)[:, None] * [1.0, 0, 0]
    found = tensorframes.orient_normals(line, np.tile([0.0, 1.0, 0.0], (count, 1)), method)
    assert (found[:, 1] == 1).all()
    same = tensorframes.orient_normals(np.zeros((count, 3)), np.tile([0.0, 1.0, 0.0], (count, 1)), method)
    assert (same[:, 1] == 1).all()


def test_points_beyond_the_graph_take_the_sign_of_their_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tensorframes.normals.orient.orient.MOST", 1000)
    pos, normal = torus(5000)
    assert right(tensorframes.orient_normals(pos, shuffled(normal)), normal) == 1


def test_type_and_precision_are_those_of_the_normals() -> None:
    pos, normal = sphere(300)
    given = torch.from_numpy(shuffled(normal)).float()
    found = tensorframes.orient_normals(torch.from_numpy(pos), given)
    assert isinstance(found, torch.Tensor)
    assert found.dtype == torch.float32
    array = tensorframes.orient_normals(pos.tolist(), given.numpy())
    assert isinstance(array, np.ndarray)
    assert array.dtype == np.float32
    assert np.array_equal(array, found.numpy())


def test_integers_keep_their_values() -> None:
    pos, normal = sphere(300)
    given = np.round(100 * np.abs(normal)) + 1
    for values in (given.astype(np.uint8), torch.from_numpy(given.astype(np.uint8))):
        found = tensorframes.orient_normals(pos, values, "up", up=(0, 0, -1))
        assert np.array_equal(np.asarray(found), -given)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("length", [1e-310, 1e-200, 1e200])
def test_lengths_of_normals_do_not_matter(length: float) -> None:
    pos, normal = sphere(300)
    given = shuffled(normal)
    for options in ({}, {"method": "viewpoint", "viewpoint": torch.zeros(3, requires_grad=True)}, {"method": "up"}):
        found = tensorframes.orient_normals(pos, length * given, **options)
        assert np.array_equal(np.sign(found), np.sign(tensorframes.orient_normals(pos, given, **options)))


@pytest.mark.parametrize(
    ("points", "options", "message"),
    [
        (np.zeros((5, 2)), {}, "expected points"),
        (np.zeros((4, 3)), {}, "expected one normal for each of 4 points, got 5"),
        (np.zeros((5, 3)), {"method": "inward"}, "expected a method of viewpoint, up, outward, consistent"),
        (np.zeros((5, 3)), {"method": "viewpoint"}, "expected a viewpoint of three numbers, got none"),
        (np.zeros((5, 3)), {"method": "viewpoint", "viewpoint": [1, 2]}, "expected viewpoint of three finite numbers"),
        (np.zeros((5, 3)), {"method": "up", "up": [0, 0, np.nan]}, "expected up of three finite numbers"),
        (np.zeros((5, 3)), {"method": "up", "up": Path("a\nb")}, "of three finite numbers, got PosixPath$"),
        (np.zeros((5, 3)), {"method": "up", "up": [0, 0, 0]}, "expected up of three numbers, not all of them zero"),
        (np.zeros((5, 3)), {"method": "viewpoint", "viewpoint": np.ones((4, 3))}, r"\(5, 3\), got shape \(4, 3\)"),
        (
            np.zeros((5, 3)),
            {"method": "viewpoint", "viewpoint": np.full((5, 3), np.nan)},
            r"\(5, 3\), got some that are not",
        ),
        (np.zeros((5, 3)), {"viewpoint": [0, 0, 1]}, "expected the method viewpoint for viewpoint, got outward"),
        (np.zeros((5, 3)), {"method": "consistent", "up": [0, 1, 0]}, "expected the method up for up, got consistent"),
    ],
)
def test_mistakes_are_refused(points: np.ndarray, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tensorframes.orient_normals(points, np.ones((5, 3)), **options)
