"""PCA and jets where the answer is known, under rotations and reflections, and where there is none."""

import sys

import numpy as np
import pytest
from scipy.stats import ortho_group

from tensorframes.errors import UserError
from tensorframes.scoring import PCA, Jet, Open3D, RobustPCA, angles, rmse

METHODS = [PCA(10), Jet(20), Jet(30, order=3), Jet(12, order=1), RobustPCA(100)]


def names(method) -> str:
    return method.name


def sphere(count: int = 2000) -> np.ndarray:
    rng = np.random.default_rng(0)
    pos = rng.normal(size=(count, 3))
    return pos / np.linalg.norm(pos, axis=1, keepdims=True)


def height_field(order: int, count: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """Points of a saddle z = u v / 2, with a cubic part if the order is 3, and their normals."""
    u, v = np.random.default_rng(1).uniform(-1, 1, size=(2, count))
    cubic = 0.3 if order == 3 else 0.0
    z = 0.5 * u * v + cubic * u**3
    return np.stack([u, v, z], 1), np.stack([-0.5 * v - 3 * cubic * u**2, -0.5 * u, np.ones(count)], 1)


@pytest.mark.parametrize("method", METHODS, ids=names)
def test_a_plane_is_met_exactly(method):
    pos = np.random.default_rng(2).uniform(size=(300, 3)) @ np.array([[1.0, 0, 0.5], [0, 1, -0.25], [0, 0, 0]])
    normal = method(pos)
    assert np.linalg.norm(normal, axis=1) == pytest.approx(1)
    assert angles(normal, np.tile([-0.5, 0.25, 1], (300, 1))).max() < 1e-6


@pytest.mark.parametrize(
    ("method", "limit"),
    [(PCA(10), 3.0), (Jet(20), 0.5), (Jet(30, order=3), 0.5)],
    ids=["PCA 10", "jet 20", "jet 30 order 3"],
)
def test_a_sphere(method, limit):
    assert rmse(angles(method(sphere()), sphere())) < limit


def test_a_jet_of_order_two_is_exact_at_the_middle_of_a_saddle():
    pos, _ = height_field(order=2)
    pos = np.concatenate([[[0.0, 0, 0]], pos, pos * [-1, -1, 1]])  # symmetric, so that PCA's plane is the tangent plane
    assert angles(Jet(21)(pos, np.array([0])), [[0, 0, 1]]) < 1e-5


def test_jets_gain_with_their_order_where_the_surface_bends():
    pos, truth = height_field(order=3)
    inside = np.flatnonzero(np.abs(pos[:, :2]).max(1) < 0.8)
    errors = [rmse(angles(method(pos, inside), truth[inside])) for method in (PCA(40), Jet(40), Jet(40, order=3))]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


@pytest.mark.parametrize("method", METHODS, ids=names)
def test_normals_turn_with_the_cloud_rotated_or_mirrored(method):
    pos = np.random.default_rng(3).normal(size=(400, 3)) * [1, 1, 0.2]
    normal = method(pos)
    for seed in range(4):
        turn = ortho_group.rvs(3, random_state=seed)
        assert angles(method(pos @ turn.T + [5, -3, 2]), normal @ turn.T).max() < 1e-6


def test_beside_an_edge_the_robust_plane_is_that_of_one_face():
    flat = np.random.default_rng(4).uniform(-1, 1, size=(4000, 2))
    roof = np.stack([flat[:, 0], flat[:, 1], -np.abs(flat[:, 0])], axis=1)
    beside = np.flatnonzero((np.abs(flat[:, 0] - 0.08) < 0.02) & (np.abs(flat[:, 1]) < 0.7))
    truth = np.tile([1, 0, 1], (len(beside), 1))
    assert rmse(angles(PCA(112)(roof, beside), truth)) > 10
    assert rmse(angles(RobustPCA(224)(roof, beside), truth)) < 2


@pytest.mark.parametrize("method", METHODS, ids=names)
def test_rows_give_the_same_as_the_whole_cloud(method):
    pos, rows = sphere(500), np.array([7, 3, 499, 3])
    assert np.array_equal(method(pos, rows), method(pos)[rows])
    assert method(pos, np.array([], dtype=int)).shape == (0, 3)


def test_chunks_join_without_a_seam(monkeypatch):
    pos = sphere(500)
    whole = PCA(10)(pos)
    monkeypatch.setattr("tensorframes.scoring.classical.CHUNK", 37)
    assert np.array_equal(PCA(10)(pos), whole)


LINE = np.arange(40)[:, None] * np.array([[0.3, -0.2, 0.7]])
DEGENERATE = {
    "line": LINE + 1.7,
    "line in float32": (LINE + 1.7).astype(np.float32),
    "line far away in float32": (LINE + 1000).astype(np.float32),
    "equal points": np.full((40, 3), 0.1),
    "one point": np.array([[1.0, 2, 3]]),
    "two points": np.array([[1.0, 2, 3], [4, 5, 6]]),
    "no points": np.zeros((0, 3)),
}


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("pos", DEGENERATE.values(), ids=DEGENERATE)
@pytest.mark.parametrize("method", METHODS, ids=names)
def test_where_there_is_no_normal_the_row_is_zero(method, pos, size):
    normal = method((pos * size).astype(pos.dtype))
    assert normal.shape == pos.shape
    assert not normal.any()


@pytest.mark.parametrize("method", METHODS, ids=names)
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_size_alone_never_takes_a_normal_away(method, size):
    normal = method((sphere(300) * size).astype(np.float32))
    assert np.linalg.norm(normal, axis=1) == pytest.approx(1)


@pytest.mark.parametrize("method", METHODS, ids=names)
@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_squares_that_float64_does_not_hold_do_not_matter(method, size):
    pos = sphere(300).astype(np.float64)
    assert angles(method(size * pos), method(pos)).max() < 1e-6


def test_three_points_have_the_normal_of_their_triangle():
    pos = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    assert angles(PCA(18)(pos), np.tile([0, 0, 1], (3, 1))).max() < 1e-10


@pytest.mark.parametrize(
    "make", [lambda: PCA(2), lambda: PCA(18.5), lambda: Jet(5), lambda: Jet(20, order=0), lambda: Open3D(1)]
)
def test_settings_that_cannot_work_are_refused(make):
    with pytest.raises(ValueError, match="expected"):
        make()


@pytest.mark.parametrize("pos", [np.zeros((4, 2)), np.full((4, 3), np.nan)])
def test_points_that_cannot_be_used_are_refused(pos):
    with pytest.raises(ValueError, match="expected"):
        PCA()(pos)


@pytest.mark.open3d
@pytest.mark.usefixtures("open3d")
def test_open3d_agrees_with_pca():
    rows = np.arange(0, 2000, 7)
    assert angles(Open3D(12)(sphere(), rows), PCA(12)(sphere(), rows)).max() < 1e-3


class Unimportable:
    """Finds open3d first, and fails as it does where it is absent or where a library of the system is."""

    def __init__(self, error: Exception):
        self.error = error

    def find_spec(self, name, path=None, target=None):
        if name == "open3d":
            raise self.error


@pytest.mark.parametrize("error", [ModuleNotFoundError("no open3d"), ImportError("no libusb"), OSError("no libGL")])
def test_an_open3d_that_does_not_import_is_told_with_what_helps(monkeypatch, error):
    monkeypatch.delitem(sys.modules, "open3d", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Unimportable(error), *sys.meta_path])
    with pytest.raises(UserError, match=rf'got "{error}"; pip install "tensorframes\[open3d\]".* libusb-1\.0-0'):
        Open3D()(sphere())
