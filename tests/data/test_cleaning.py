"""The written rule for rows that can't be used as they are."""

import logging

import numpy as np
import pytest

from tensorframes.data import Cloud
from tensorframes.data.datasets.cleaning import Counts, clean, report
from tensorframes.errors import UserError

POS = np.arange(18.0).reshape(6, 3)
UNIT = np.eye(3)[[0, 1, 2, 0, 1, 2]]


def test_rows_are_dropped_and_row_numbers_follow():
    pos = POS.copy()
    pos[1, 2] = np.nan
    pos[5, 0] = 1e300
    cleaned = clean("a", pos, UNIT, eval_index=np.array([4, 0, 3, 1]))
    np.testing.assert_array_equal(cleaned.pos, POS[[0, 2, 3, 4]])
    np.testing.assert_array_equal(cleaned.normal, UNIT[[0, 2, 3, 4]])
    np.testing.assert_array_equal(cleaned.eval_index, [3, 0, 2])
    assert cleaned.counts == Counts(rows=6, not_finite=1, far=1, dropped_index=1)


@pytest.mark.parametrize("missing", [0.0, 9e-7, np.nan, np.inf, -np.inf])
def test_rows_without_a_normal_stay_and_are_not_scored(missing):
    normal = UNIT * np.array([1, 1, 2, 1, 1, 1])[:, None]
    normal[[1, 3], 0] = missing
    normal[3] *= [1, 0, 0]
    normal[1, 1:] = 0
    cleaned = clean("a", POS, normal, eval_index=np.array([4, 3, 0, 1, 2]))
    np.testing.assert_array_equal(cleaned.pos, POS)
    np.testing.assert_array_equal(cleaned.normal, UNIT * np.array([1, 0, 1, 0, 1, 1])[:, None])
    np.testing.assert_array_equal(cleaned.eval_index, [4, 0, 2])
    assert cleaned.counts == Counts(rows=6, unlabelled=2, renormalised=1, dropped_index=2)
    cloud = Cloud("a", cleaned.pos, cleaned.normal)
    np.testing.assert_array_equal(cloud.labelled, [True, False, True, False, True, True])


def test_far_rows_are_dropped_and_counted_before_the_origin_is_chosen():
    pos = np.random.default_rng(0).standard_normal((100, 3)) + 50
    spoiled = np.insert(pos, [7, 60], [[1e15, 50, 50], [0, 0, -1e6]], axis=0)
    spoiled = np.insert(spoiled, 0, np.nan, axis=0)
    cleaned = clean("a", spoiled, np.tile(UNIT[0], (103, 1)), eval_index=np.array([8, 62, 9]))
    centre = (pos.min(0) + pos.max(0)) / 2
    np.testing.assert_array_equal(cleaned.pos, (pos - centre).astype(np.float32))
    np.testing.assert_array_equal(cleaned.eval_index, [7])
    assert cleaned.counts == Counts(rows=103, not_finite=1, far=2, dropped_index=2)


def test_rows_of_a_crowded_place_are_dropped_and_counted():
    pos = np.random.default_rng(0).uniform(-1, 1, size=(400, 3)) + [0, 0, 50]
    spoiled = np.insert(pos, [7] * 40 + [60] * 40, 0, axis=0)
    cleaned = clean("a", spoiled, np.tile(UNIT[0], (480, 1)), eval_index=np.array([0, 7, 46, 47, 479]))
    np.testing.assert_array_equal(cleaned.pos, clean("a", pos).pos)
    np.testing.assert_array_equal(cleaned.eval_index, [0, 7, 399])
    assert cleaned.counts == Counts(rows=480, crowded=80, dropped_index=2)


def test_normals_off_unit_length_are_counted_and_divided():
    normal = UNIT * np.array([1, 1.0005, 1.002, 0.5, 1, 1])[:, None]
    cleaned = clean("a", POS, normal)
    np.testing.assert_array_equal(cleaned.normal, UNIT)
    assert cleaned.counts == Counts(rows=6, renormalised=2)


def test_positions_alone_are_enough():
    cleaned = clean("a", POS)
    assert cleaned.normal is None
    np.testing.assert_array_equal(cleaned.pos, POS)


def test_survey_coordinates_keep_their_digits():
    offset = np.array([3.4e6, 5.8e6, 100])
    pos = np.random.default_rng(0).uniform(size=(50, 3))
    cleaned = clean("a", pos + offset)
    np.testing.assert_allclose(np.diff(cleaned.pos, axis=0), np.diff(pos, axis=0), atol=1e-6)
    near = clean("a", pos)
    np.testing.assert_array_equal(near.pos, pos.astype(np.float32))


def test_clouds_beside_the_origin_are_rounded_no_more_than_others():
    pos = np.random.default_rng(0).uniform(-1, 1, size=(50, 3))
    for offset in (3.0, 40.0, 1000.0):
        edges = np.diff(clean("a", pos + offset).pos.astype(np.float64), axis=0)
        np.testing.assert_allclose(edges, np.diff(pos, axis=0), rtol=0, atol=1.3e-7)
    length = np.linalg.norm(np.ptp(pos, axis=0))
    centred = pos - (pos.min(0) + pos.max(0)) / 2
    for share, moved in ((0.9, False), (1.1, True)):
        there = centred + np.array([share * length, 0, 0])
        np.testing.assert_allclose(clean("a", there).pos, centred if moved else there, rtol=0, atol=1e-6)


def test_nothing_left_and_rows_out_of_range():
    with pytest.raises(UserError, match=r"a: expected points with finite positions, got none in 6 rows"):
        clean("a", POS * np.nan, UNIT)
    with pytest.raises(UserError, match=r"a: expected points with normals, got none in 6 rows"):
        clean("a", POS, UNIT * 0)
    for rows in ([6], [-1, 2]):
        with pytest.raises(UserError, match=r"a: expected row numbers in 0\.\.5"):
            clean("a", POS, UNIT, np.array(rows))


def test_report_is_one_line_with_the_sums(caplog):
    with caplog.at_level(logging.INFO):
        report(
            "some list",
            [Counts(rows=1000, renormalised=2), Counts(rows=500, not_finite=1, far=2, crowded=60, renormalised=3)],
        )
        report("other list", [Counts(rows=7)])
        report("sparse list", [Counts(rows=1000, unlabelled=850, dropped_index=3)])
    assert caplog.messages == [
        "some list: clouds 2, rows 1,500; 1 row not finite dropped, 2 far rows dropped, "
        "60 rows at a crowded place dropped, 5 normals made unit",
        "other list: clouds 1, rows 7; all clean",
        "sparse list: clouds 1, rows 1,000; 850 rows without a normal kept, not scored, 3 row numbers dropped",
    ]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]


@pytest.mark.parametrize("size", [1e300, 1e-300, 1e30])
def test_clouds_of_any_magnitude_keep_their_shape(size):
    pos = np.random.default_rng(0).normal(size=(50, 3))
    cleaned = clean("a", (pos + 5) * size)
    assert np.isfinite(cleaned.pos).all()
    ratio = np.ptp(cleaned.pos, axis=0) / np.ptp(pos, axis=0)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)
    assert (cleaned.counts.not_finite, cleaned.counts.far) == (0, 0)
