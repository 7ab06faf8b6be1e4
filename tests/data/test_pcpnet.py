"""PCPNet's layout: files, lists, categories, and what is wrong with them in one line."""

import logging

import numpy as np
import pytest

from tensorframes.data import PCPNet
from tensorframes.data.datasets.pcpnet import category_of, shape_of
from tensorframes.errors import UserError

VARIANTS = ("", "_noise_white_1.00e-02", "_noise_white_5.00e-02", "_noise_white_1.00e-01", "_ddist_minmax_layers",
            "_ddist_minmax")  # fmt: skip
CATEGORIES = ["no_noise", "low_noise", "med_noise", "high_noise", "vardensity_striped", "vardensity_gradient"]


def _write(root, name, count=8, end="\n"):
    rng = np.random.default_rng(len(name))
    normal = rng.normal(size=(count, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    for kind, values, form in (
        ("xyz", rng.normal(size=(count, 3)), "%.6f"),
        ("normals", normal, "%.6f"),
        ("pidx", np.array([5, 0, 2]), "%d"),
    ):
        np.savetxt(root / f"{name}.{kind}", values, fmt=form, newline=end)


@pytest.fixture
def root(tmp_path):
    """Two shapes in all variants, one more to test on."""
    names = [shape + variant for shape in ("dog", "cat_1") for variant in VARIANTS]
    for name in [*names, "cow"]:
        _write(tmp_path, name)
    (tmp_path / "trainingset_all.txt").write_text("\n".join(names) + "\n\n")
    (tmp_path / "validationset_no_noise.txt").write_text("cow\n")
    (tmp_path / "testset_all.txt").write_text("cow\ndog_ddist_minmax\n")
    return tmp_path


def test_all_kinds_of_files_are_read(root):
    cloud = PCPNet(root, test_list="testset_all").test[0]
    np.testing.assert_array_equal(cloud.pos, np.loadtxt(root / "cow.xyz", dtype=np.float32))
    np.testing.assert_allclose(cloud.normal, np.loadtxt(root / "cow.normals"), atol=1e-6)
    np.testing.assert_array_equal(cloud.eval_index, [5, 0, 2])
    assert (cloud.name, cloud.oriented, cloud.label) == ("cow", True, None)


def test_lists_keep_their_order_and_names_tell_categories(root):
    data = PCPNet(root, "trainingset_all", "validationset_no_noise", "testset_all.txt")
    assert data.train.names[:6] == ["dog" + variant for variant in VARIANTS]
    assert [cloud.category for cloud in data.train] == CATEGORIES * 2
    assert data.val.names == ["cow"]
    assert [cloud.category for cloud in data.test] == ["no_noise", "vardensity_gradient"]


@pytest.mark.parametrize(
    ("name", "category", "shape"),
    [
        ("bunny100k_noise_white_1.00e-01", "high_noise", "bunny100k"),
        ("star_ddist_minmax_layers", "vardensity_striped", "star"),
        ("star_ddist_minmax", "vardensity_gradient", "star"),
        ("star_noise_white_2.00e-02", "noise_white_2.00e-02", "star"),
        ("noise_white_wall", "no_noise", "noise_white_wall"),
    ],
)
def test_names(name, category, shape):
    assert (category_of(name), shape_of(name)) == (category, shape)


def test_validation_is_held_out_by_shape(root):
    data = PCPNet(root, "trainingset_all", val_share=0.5)
    train, val = ({shape_of(name) for name in split.names} for split in (data.train, data.val))
    assert (len(train), len(val), len(data.train) + len(data.val)) == (1, 1, 12)
    assert not train & val


def test_splits_are_read_when_asked_for(root):
    data = PCPNet(root, train_list="no_such_list", test_list="testset_all")
    assert len(data.test) == 2
    there = "testset_all, trainingset_all, validationset_no_noise"
    with pytest.raises(UserError, match=f"expected one of the lists {there}, got no_such_list"):
        _ = data.train


def test_marks_of_unoriented_clouds(root):
    data = PCPNet(root, "trainingset_all", "validationset_no_noise", unoriented=["dog*"])
    assert [cloud.oriented for cloud in data.train] == [False] * 6 + [True] * 6
    (root / "unoriented.txt").write_text("cow\r\n")
    data = PCPNet(root, "trainingset_all", "validationset_no_noise", unoriented="cat_1")
    assert [cloud.oriented for cloud in data.train] == [True] * 6 + [False] + [True] * 5
    assert not data.val[0].oriented

    with pytest.raises(
        UserError, match=r"expected data.unoriented to name clouds in .*, got foo\*, which matches none"
    ):
        _ = PCPNet(root, "trainingset_all", unoriented=["dog*", "foo*"]).train

    (root / "unoriented.txt").write_text("\n")
    assert all(cloud.oriented for cloud in PCPNet(root).test)


def test_clouds_without_a_usable_row_to_score_are_for_training_alone(root):
    rows = (root / "cow.xyz").read_text().splitlines()
    for row in (5, 0, 2):
        rows[row] = "nan 0 0"
    (root / "cow.xyz").write_text("\n".join(rows))
    (root / "trainingset_cow.txt").write_text("cow\n")
    data = PCPNet(root, "trainingset_cow", "validationset_no_noise")
    assert len(data.train[0]) == 5
    for split in ("val", "test"):
        with pytest.raises(UserError, match=r"expected rows to score that can be used, got none in \.pidx of cow$"):
            getattr(data, split)


def test_windows_line_ends_and_optional_files(root, caplog):
    _write(root, "cow", end="\r\n")
    (root / "testset_all.txt").write_bytes(b"cow\r\n\r\n")
    cloud = PCPNet(root).test[0]
    assert (len(cloud), list(cloud.eval_index)) == (8, [5, 0, 2])
    (root / "cow.pidx").unlink()
    assert np.array_equal(PCPNet(root).test[0].eval_index, np.arange(len(PCPNet(root).test[0])))
    assert "1 of 1 cloud without .pidx" in caplog.text


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("cow.normals", "0 0 1\n" * 7, r"cow.normals: expected 8 rows as in .xyz, got 7"),
        ("cow.xyz", "0 1\n" * 8, r"cow.xyz, line 1: expected 3 columns, got 2"),
        ("cow.xyz", "", r"cow.xyz: expected points, got an empty file"),
        ("cow.xyz", "nan 0 0\n" * 8, r"expected points with finite positions"),
        ("cow.xyz", "1 2 3\n1 2 x\n", r"cow.xyz, line 2: expected numbers, got 'x'"),
        ("cow.pidx", "0\n8\n", r"cow.pidx: expected row numbers in 0..7, got 0..8"),
        ("cow.pidx", "0\n-1\n", r"got -1..0"),
        ("cow.pidx", "0\n1e30\n", r"cow.pidx: expected whole row numbers, got 1e\+30"),
        ("cow.pidx", "0\ninf\n", r"cow.pidx: expected whole row numbers, got inf"),
        ("cow.pidx", "", r"cow.pidx: expected row numbers, got an empty file"),
        ("testset_all.txt", "\n", r"testset_all.txt: expected names, one a line, got an empty file"),
        ("cow.pidx", "0\n1.5\n", r"cow.pidx: expected whole row numbers, got 1.5"),
        ("cow.pidx", "0 1\n", r"cow.pidx, line 1: expected 1 columns, got 2"),
        ("testset_all.txt", "cow\nno_cow\n", r"files that list testset_all names, no no_cow.xyz, no_cow.normals$"),
    ],
)
def test_what_is_wrong_is_named(root, file, content, message):
    (root / file).write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        _ = PCPNet(root).test
    assert "\n" not in str(caught.value)


def test_rows_that_are_not_finite_are_dropped_and_reported(root, caplog):
    lines = (root / "cow.xyz").read_text().splitlines()
    lines[0], lines[4] = "nan 0 0", "0 inf 0"
    (root / "cow.xyz").write_text("\n".join(lines))
    with caplog.at_level(logging.WARNING):
        cloud = PCPNet(root).test[0]
    assert (len(cloud), list(cloud.eval_index)) == (6, [3, 1])
    np.testing.assert_array_equal(cloud.pos[3], np.loadtxt(root / "cow.xyz", dtype=np.float32)[5])
    assert caplog.messages == ["testset_all: clouds 2, rows 16; 2 rows not finite dropped, 1 row number dropped"]


def test_unlabelled_rows_stay_and_are_not_scored(root, caplog):
    lines = (root / "cow.normals").read_text().splitlines()
    lines[0], lines[4] = "0 0 0", "nan nan nan"
    (root / "cow.normals").write_text("\n".join(lines))
    with caplog.at_level(logging.WARNING):
        cloud = PCPNet(root).test[0]
    np.testing.assert_array_equal(cloud.pos, np.loadtxt(root / "cow.xyz", dtype=np.float32))
    assert np.flatnonzero(~cloud.labelled).tolist() == [0, 4]
    assert list(cloud.eval_index) == [5, 2]
    met = "2 rows without a normal kept, not scored, 1 row number dropped"
    assert caplog.messages == [f"testset_all: clouds 2, rows 16; {met}"]


def test_a_changed_file_is_read_again(root):
    assert len(PCPNet(root).test[0]) == 8
    _write(root, "cow", count=9)
    assert len(PCPNet(root).test[0]) == 9
    (root / "cow.pidx").unlink()
    assert np.array_equal(PCPNet(root).test[0].eval_index, np.arange(len(PCPNet(root).test[0])))


def test_one_folder_down_and_a_cache_elsewhere(root, tmp_path_factory):
    above = tmp_path_factory.mktemp("above")
    root.rename(above / "pclouds")
    data = PCPNet(above, cache_dir=above / "c")
    assert len(data.test) == 2
    assert len(list((above / "c").rglob("*.h5"))) == 2
    assert not (above / "pclouds" / ".tensorframes_cache").exists()
