"""Cosine similarities by hand, and what the test rotations do to methods that follow them and methods that don't."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tensorframes.data import Cloud
from tensorframes.errors import UserError
from tensorframes.scoring import PCA, score_rotated
from tensorframes.scoring.modelnet import turned_cloud

ANGLES = np.radians([0, 60, 180, 120])
NORMAL = np.stack([np.sin(ANGLES), 0 * ANGLES, np.cos(ANGLES)], axis=1)


class Up:
    """Always +z."""

    name, oriented, equivariant = "up", True, False

    def __call__(self, points, rows=None):
        return np.tile([0, 0, 1.0], (len(points if rows is None else rows), 1))


class Radial:
    """The direction from the origin: equivariant under all of O(3)."""

    name, oriented, equivariant = "radial", True, True

    def __call__(self, points, rows=None):
        return points if rows is None else points[rows]


def cloud(name: str = "a", **fields) -> Cloud:
    return Cloud(name, pos=2 * NORMAL, normal=NORMAL, **fields)


def test_cosines_by_hand():
    found = score_rotated(Up(), [cloud()], rotations=["none"])["per_rotation"]["none"]
    assert found["cosine_oriented"] == pytest.approx((1 + 0.5 - 1 - 0.5) / 4, abs=1e-7)
    assert found["cosine_unoriented"] == pytest.approx((1 + 0.5 + 1 + 0.5) / 4)
    assert found["rmse"] == pytest.approx(np.sqrt(2 * 60**2 / 4), rel=1e-6)
    assert (found["clouds"], found["points"], found["scored"]) == (1, 4, 4)


def test_an_equivariant_method_keeps_its_score_under_every_rotation():
    for found in score_rotated(Radial(), [cloud("a"), cloud("b")])["per_rotation"].values():
        assert found["cosine_oriented"] == pytest.approx(1)
        assert found["rmse"] < 1e-4


class Counted:
    """Another method, and the number of clouds it was called with."""

    def __init__(self, method, equivariant: bool) -> None:
        self.method, self.equivariant, self.calls = method, equivariant, 0
        self.name, self.oriented = method.name, method.oriented

    def __call__(self, points, rows=None):
        self.calls += 1
        return self.method(points, rows)


def test_an_equivariant_method_is_shown_to_be_so_on_a_few_clouds_and_scored_once_on_the_others():
    clouds = [cloud(str(number)) for number in range(7)]
    method = Counted(Radial(), True)
    found, whole = score_rotated(method, clouds), score_rotated(Radial(), clouds, equal_on=None)
    assert method.calls == 3 * 4 + 4
    shown = found["equal_rotations"]
    assert (shown["rotation"], shown["clouds"]) == ("none", 3)
    assert set(shown["largest_difference"]) == {"cosine_unoriented", "cosine_oriented", "rmse"}
    assert 0 < shown["largest_difference"]["rmse"] < 1e-3
    assert "equal_rotations" not in whole
    for name, entry in found["per_rotation"].items():
        assert {key: entry[key] for key in ("clouds", "points", "scored")} == {"clouds": 7, "points": 28, "scored": 28}
        assert entry["cosine_oriented"] == pytest.approx(whole["per_rotation"][name]["cosine_oriented"], abs=1e-6)
    json.dumps(found, allow_nan=False)


def test_a_method_that_is_not_as_equivariant_as_it_says_is_scored_under_every_rotation():
    clouds = [cloud(str(number)) for number in range(7)]
    method = Counted(Up(), True)
    found = score_rotated(method, clouds)
    assert method.calls == 7 * 4
    assert "equal_rotations" not in found
    assert "up: its scores depend on the rotation" in found["warnings"]
    assert found["per_rotation"] == without_seconds(found, score_rotated(Up(), clouds))


def without_seconds(found: dict, other: dict) -> dict:
    """The scores of ``other``, with the seconds of ``found``."""
    seconds = {name: entry["seconds"] for name, entry in found["per_rotation"].items()}
    return {name: {**entry, "seconds": seconds[name]} for name, entry in other["per_rotation"].items()}


def test_few_clouds_are_scored_under_every_rotation():
    method = Counted(Radial(), True)
    assert "equal_rotations" not in score_rotated(method, [cloud("a"), cloud("b"), cloud("c")])
    assert method.calls == 3 * 4
    with pytest.raises(UserError, match="expected equal_on >= 1 or null, got 0"):
        score_rotated(method, [cloud()], equal_on=0)


def test_a_method_tied_to_the_axes_loses_it_but_not_about_its_own_axis():
    flat = Cloud("flat", pos=np.random.default_rng(0).normal(size=(50, 3)), normal=np.tile([0, 0, 1.0], (50, 1)))
    found = score_rotated(Up(), [flat])["per_rotation"]
    assert found["none"]["cosine_oriented"] == pytest.approx(1)
    assert found["z"]["cosine_oriented"] == pytest.approx(1)
    assert found["so3"]["cosine_unoriented"] < 0.99
    assert found["o3"]["cosine_unoriented"] < 0.99


def test_turns_are_of_their_group_differ_by_cloud_and_repeat():
    def element(name: str, rotation: str, seed: int = 0) -> np.ndarray:
        axes = Cloud(name, pos=np.eye(3), normal=np.eye(3))
        moved = turned_cloud(axes, rotation, seed)
        assert np.array_equal(moved.pos, moved.normal)
        return moved.pos.T.astype(float)

    assert [np.linalg.det(element(str(i), "so3")) for i in range(20)] == pytest.approx([1] * 20, abs=1e-6)
    assert {round(np.linalg.det(element(str(i), "o3")), 5) for i in range(20)} == {-1, 1}
    assert element("a", "z")[2, 2] == 1
    assert np.array_equal(element("a", "so3"), element("a", "so3"))
    assert not np.allclose(element("a", "so3"), element("b", "so3"))
    assert not np.allclose(element("a", "so3"), element("a", "so3", seed=1))


def test_orientation_is_null_unless_claimed_and_refused_where_signs_are_not_consistent():
    rng = np.random.default_rng(0)
    scattered = Cloud("s", pos=rng.normal(size=(50, 3)), normal=np.tile([0, 0, 1.0], (50, 1)))
    result = score_rotated(PCA(10), [scattered])
    assert all(found["cosine_oriented"] is None for found in result["per_rotation"].values())
    result = score_rotated(Radial(), [cloud("good"), cloud("bad", oriented=False)], rotations=["none", "so3"])
    assert result["per_rotation"]["none"]["cosine_oriented"] == pytest.approx(1)
    assert len(result["warnings"]) == 1  # once, not once a rotation
    json.dumps(result, allow_nan=False)


def test_points_without_a_normal_count_as_a_cosine_of_zero():
    class Half(Radial):
        def __call__(self, points, rows=None):
            return (points * np.array([[1], [1], [0], [np.nan]]))[rows]

    found = score_rotated(Half(), [cloud()], rotations=["none"])["per_rotation"]["none"]
    assert found["cosine_unoriented"] == pytest.approx(0.5)
    assert (found["no_normal"], found["not_finite"]) == (1, 1)


def test_only_the_evaluation_index_counts():
    found = score_rotated(Up(), [cloud(eval_index=np.array([0, 1]))], rotations=["none"])["per_rotation"]["none"]
    assert found["cosine_oriented"] == pytest.approx(0.75)


def test_unlabelled_points_turn_along_and_are_not_scored():
    whole = cloud()
    known = replace(whole, normal=whole.normal * [[1], [1], [0], [0]])
    found, expected = (
        score_rotated(Up(), [each])["per_rotation"] for each in (known, cloud(eval_index=np.array([0, 1])))
    )
    for name, entry in found.items():
        assert entry == {**expected[name], "seconds": entry["seconds"]}
        assert (entry["points"], entry["scored"]) == (4, 2)


def test_scores_are_kept_cloud_by_cloud_with_the_class():
    found = score_rotated(Up(), [cloud("a", label=3), cloud("b", category="low_noise")], rotations=["none", "o3"])
    for entry in found["per_rotation"].values():
        each = entry["per_cloud"]
        assert {name: its["group"] for name, its in each.items()} == {"a": "3", "b": "low_noise"}
        assert np.mean([its["cosine_oriented"] for its in each.values()]) == pytest.approx(entry["cosine_oriented"])
    with pytest.raises(UserError, match="'a' twice"):
        score_rotated(Up(), [cloud("a"), cloud("a")])


@pytest.mark.parametrize("rotations", [["none", "so2"], []])
def test_unknown_rotations_are_named(rotations):
    with pytest.raises(UserError, match="none, z, so3, o3, got"):
        score_rotated(Up(), [cloud()], rotations=rotations)


def test_clouds_without_normals_are_named():
    with pytest.raises(UserError, match="'bare' without"):
        score_rotated(Up(), [Cloud("bare", pos=NORMAL)])
    with pytest.raises(UserError, match="at least one cloud"):
        score_rotated(Up(), [])
