"""Which rows count and how shapes, categories and the average follow from them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tensorframes.data import CATEGORIES, Cloud
from tensorframes.errors import UserError
from tensorframes.scoring import score


class Tilting:
    """Returns vectors at given angles from +z, point by point."""

    name = "tilting"

    def __init__(self, degrees: np.ndarray, oriented: bool = False) -> None:
        self.degrees, self.oriented = np.radians(np.asarray(degrees, dtype=float)), oriented

    def __call__(self, points, rows=None):
        angle = self.degrees[: len(points)]
        normal = np.stack([np.sin(angle), 0 * angle, np.cos(angle)], axis=1)
        return normal if rows is None else normal[rows]


class Recording(Tilting):
    """Writes down how many points it was handed."""

    def __init__(self, degrees: np.ndarray) -> None:
        super().__init__(degrees)
        self.points: list[int] = []

    def __call__(self, points, rows=None):
        self.points.append(len(points))
        return super().__call__(points, rows)


class Naming:
    """Errors of 10 degrees times the x of the first point."""

    name, oriented = "naming", False

    def __call__(self, points, rows=None):
        angle = np.radians(10 * points[0, 0])
        return np.tile([np.sin(angle), 0, np.cos(angle)], (len(points) if rows is None else len(rows), 1))


def cloud(name: str = "a", count: int = 4, at: float = 0.0, **fields) -> Cloud:
    """A cloud of `count` points whose normals are all +z."""
    pos = np.random.default_rng(3).normal(size=(count, 3))
    pos[0, 0] = at
    return Cloud(name=name, pos=pos, normal=np.tile([0, 0, 1.0], (count, 1)), **fields)


def test_only_the_evaluation_index_counts():
    entry = score(Tilting([80, 3, 80, 4]), [cloud(eval_index=np.array([3, 1, 1, 3]))])["per_cloud"]["a"]
    assert entry["rmse"] == pytest.approx(np.sqrt(12.5))  # 4, 3, 3, 4
    entry = score(Tilting([80, 3, 80, 4]), [cloud(eval_index=np.array([3, 1]))])["per_cloud"]["a"]
    assert entry["rmse"] == pytest.approx(np.sqrt(12.5))
    assert (entry["points"], entry["scored"]) == (4, 2)
    assert entry["pgp"]["5"] == 1.0


def test_unlabelled_points_are_seen_but_not_scored():
    """15 % of the normals are known: the method is handed every point, and its scores are those of these rows."""
    known = np.sort(np.random.default_rng(1).permutation(100)[:15])
    whole, method = cloud(count=100), Recording(np.arange(100) % 23)
    normal = np.where(np.isin(np.arange(100), known)[:, None], whole.normal, 0)
    partly, expected = (
        score(method, [each]) for each in (replace(whole, normal=normal), replace(whole, eval_index=known))
    )
    assert method.points == [100, 100]
    assert partly["average"] == {**expected["average"], "seconds": partly["average"]["seconds"]}
    assert partly["average"]["scored"] == 15
    named = score(method, [replace(whole, normal=normal, eval_index=np.array([known[0], known[0] + 1, known[3]]))])
    assert named["average"]["scored"] == 2 + (known[1] == known[0] + 1)


def test_the_nearest_clean_point_may_be_unlabelled():
    moved = cloud(count=3, clean_pos=np.eye(3), at=0.0)
    moved = replace(moved, pos=np.array([[0.0, 0.9, 0], [0, 1.1, 0], [0, 0, 1]]))
    degrees = Tilting([80, 3, 4])
    assert score(degrees, [moved])["average"]["cnd"] == pytest.approx(np.sqrt((80**2 + 3**2 + 4**2) / 3))
    partly = replace(moved, normal=moved.normal * [[1], [0], [1]])
    assert score(degrees, [partly])["average"]["cnd"] == pytest.approx(4)
    assert score(degrees, [replace(partly, eval_index=[0])])["average"]["cnd"] is None


def test_categories_are_means_of_shapes_and_the_average_of_categories():
    clouds = [
        cloud("a", at=1, category="vardensity_gradient"),
        cloud("b", at=2, category="no_noise"),
        cloud("c", at=4, category="no_noise"),
        cloud("d", at=0, category="no_noise"),
    ]
    result = score(Naming(), clouds)
    assert list(result["per_category"]) == ["no_noise", "vardensity_gradient"]
    assert result["per_category"]["no_noise"]["rmse"] == pytest.approx(20)  # of 20, 40, 0: no mean of squares
    assert result["average"]["rmse"] == pytest.approx(15)  # of 20 and 10: categories, not clouds
    assert result["per_category"]["no_noise"]["pgp"]["30"] == pytest.approx(2 / 3)
    assert result["average"]["pgp"]["30"] == pytest.approx((2 / 3 + 1) / 2)
    assert result["average"]["clouds"] == 4
    assert result["average"]["scored"] == 16
    assert [entry["category"] for entry in result["per_cloud"].values()] == [c.category for c in clouds]


def test_all_categories_come_in_the_protocols_order_and_others_after():
    clouds = [cloud(name, category=name) for name in ("own", *reversed(CATEGORIES))]
    assert list(score(Naming(), clouds)["per_category"]) == [*CATEGORIES, "own"]


def test_oriented_scores_are_null_unless_claimed():
    result = score(Tilting([170, 170, 180, 10]), [cloud()])
    for entry in (result["average"], result["per_category"]["no_noise"], result["per_cloud"]["a"]):
        assert entry["rmse_oriented"] is None
        assert entry["rmse_oriented_flipped"] is None
        assert entry["rmse"] == pytest.approx(np.sqrt(75))


def test_oriented_scores_by_hand():
    entry = score(Tilting([170, 170, 180, 10], oriented=True), [cloud()])["average"]
    assert entry["rmse_oriented"] == pytest.approx(np.sqrt((2 * 170**2 + 180**2 + 10**2) / 4))
    assert entry["rmse_oriented_flipped"] == pytest.approx(np.sqrt((2 * 10**2 + 0 + 170**2) / 4))


def test_clouds_without_consistent_signs_are_refused_by_the_oriented_scores(caplog):
    method = Tilting([10, 10, 10, 10], oriented=True)
    result = score(method, [cloud("good"), cloud("bad", oriented=False)])
    assert result["per_cloud"]["bad"]["rmse_oriented"] is None
    assert result["average"]["rmse_oriented"] == pytest.approx(10)
    assert [line.split(":")[0] for line in result["warnings"]] == ["bad"]
    assert caplog.messages == result["warnings"]
    assert score(method, [cloud("bad", oriented=False)])["average"]["rmse_oriented_flipped"] is None


def test_zero_and_not_finite_rows_are_counted_as_90_and_reported():
    class Broken(Tilting):
        def __call__(self, points, rows=None):
            return np.array([[0, 0, 0], [np.nan, 0, 0], [0, 0, 2.0], [0, 0, 1]])[rows]

    result = score(Broken([]), [cloud()])
    entry = result["average"]
    assert entry["rmse"] == pytest.approx(np.sqrt(2 * 90**2 / 4))
    assert (entry["no_normal"], entry["not_finite"]) == (1, 1)
    assert "1 normal of tilting not finite" in result["warnings"][0]
    json.dumps(result, allow_nan=False)


def test_chamfer_normal_distance_takes_the_nearest_clean_points_normal():
    angle = np.radians([0, 30, 60])
    clean = np.array([[0, 0, 0], [1, 0, 0], [2.0, 0, 0]])
    normal = np.stack([np.sin(angle), 0 * angle, np.cos(angle)], axis=1)
    moved = clean[[1, 1, 2]]  # noise carried point 0 to where point 1 was
    noisy = Cloud("n", pos=moved, normal=normal, clean_pos=clean, category="low_noise")
    entry = score(Tilting([0, 30, 60]), [noisy])["average"]
    assert entry["rmse"] == pytest.approx(0, abs=1e-4)
    assert entry["cnd"] == pytest.approx(np.sqrt(30**2 / 3), abs=1e-4)
    assert score(Tilting([0, 30, 60]), [replace(noisy, clean_pos=None)])["average"]["cnd"] is None


def test_json_is_strict_and_comes_back_equal():
    result = score(Tilting([0, 30, 60, 90], oriented=True), [cloud(), cloud("b", oriented=False)])
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_seconds_are_the_methods_own():
    import time

    class Slow(Tilting):
        def __call__(self, points, rows=None):
            time.sleep(0.05)
            return super().__call__(points, rows)

    assert 0.05 <= score(Slow([0, 0, 0, 0]), [cloud(), cloud("b")])["average"]["seconds"] < 0.5


def test_progress_counts_the_clouds():
    counts = []
    score(Naming(), [cloud("a"), cloud("b")], progress=lambda done, total: counts.append((done, total)))
    assert counts == [(0, 2), (1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("clouds", "words"),
    [
        ([], "at least one cloud"),
        ([cloud(), cloud()], "different names, got 'a' twice"),
        ([Cloud("bare", pos=np.zeros((3, 3)))], "'bare' without"),
        ([cloud(eval_index=np.array([], dtype=int))], "at least one row to score in 'a'"),
        ([Cloud("zero", pos=np.zeros((3, 3)), normal=np.zeros((3, 3)))], "'zero' without"),
        ([Cloud("a", pos=np.zeros((2, 3)), normal=[[0, 0, 0], [0, 0, 1]], eval_index=[0])], "one row to score in 'a'"),
    ],
)
def test_what_cannot_be_scored_is_named(clouds, words):
    with pytest.raises(UserError, match=words):
        score(Naming(), clouds)


@pytest.mark.parametrize("rows", [[0, 1], [0, 1, 2, 3]])
def test_a_method_that_does_not_return_the_rows_asked_for_is_named(rows):
    class Whole(Tilting):
        def __call__(self, points, rows=None):
            return np.tile([0, 0, 1.0], (5, 1))

    with pytest.raises(ValueError, match=rf"expected {len(rows)} normals from tilting, .*, got 5"):
        score(Whole([]), [cloud(eval_index=np.array(rows))])
