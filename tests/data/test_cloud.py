"""Cloud refuses what a scorer could not make sense of."""

import numpy as np
import pytest

from tensorframes.data import Cloud

POS = np.arange(12.0).reshape(4, 3)
UNIT = np.eye(3)[[0, 1, 2, 0]]


def test_arrays_are_converted():
    cloud = Cloud("a", POS, UNIT, eval_index=[3, 0])
    assert (cloud.pos.dtype, cloud.normal.dtype, cloud.eval_index.dtype) == (np.float32, np.float32, np.int64)
    assert len(cloud) == 4


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pos": np.zeros((0, 3))}, "at least one point"),
        ({"pos": POS[:, :2]}, r"pos of shape \(N, 3\), got \(4, 2\)"),
        ({"pos": np.where(POS == 5, np.nan, POS)}, "finite pos"),
        ({"normal": UNIT[:3]}, "4 rows of normal.*got 3"),
        ({"normal": UNIT * 1.01}, "unit or zero normals"),
        ({"normal": UNIT * [[0], [1], [1e-3], [1]]}, "unit or zero normals"),
        ({"eval_index": [4]}, r"eval_index in 0\.\.3, got 4\.\.4"),
        ({"eval_index": [-1, 2]}, r"got -1\.\.2"),
        ({"eval_index": [0.5]}, "integers"),
    ],
)
def test_wrong_fields_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Cloud(**{"name": "a", "pos": POS, "normal": UNIT, **fields})


def test_points_without_a_normal_are_not_scored():
    normal = UNIT * [[1], [0], [1], [0]]
    np.testing.assert_array_equal(Cloud("a", POS, normal).labelled, [True, False, True, False])
    np.testing.assert_array_equal(Cloud("a", POS, normal).eval_index, [0, 2])
    np.testing.assert_array_equal(Cloud("a", POS, normal, eval_index=[2, 1, 0, 2]).eval_index, [2, 0, 2])
    np.testing.assert_array_equal(Cloud("a", POS, UNIT).eval_index, range(4))
    assert Cloud("a", POS, UNIT, eval_index=[]).eval_index.dtype == np.int64
    assert not Cloud("a", POS).labelled.any()
