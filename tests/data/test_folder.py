"""A user's own clouds: sub-folders, lists, or shares."""

import os
import sys

import numpy as np
import pytest

from tensorframes.data import Folder, write_cloud
from tensorframes.data.io import Columns, table_of
from tensorframes.errors import UserError

NAMES = ("x", "y", "z", "nx", "ny", "nz")
ROWS = np.c_[np.random.default_rng(0).normal(size=(7, 3)), -np.eye(3)[[0, 1, 2, 0, 1, 2, 0]]]


def _write(*files, rows=ROWS):
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_cloud(file, Columns(table_of(dict(zip(NAMES, rows.T, strict=False)))))


def test_sub_folders(tmp_path):
    _write(tmp_path / "train" / "a.ply", tmp_path / "train" / "in" / "b.xyz", tmp_path / "val" / "a.npy")
    _write(tmp_path / "test" / "c_noise_white_1.00e-02.npz", tmp_path / "other.ply", tmp_path / "train" / ".hidden.ply")
    data = Folder(tmp_path, unoriented=["in_*"])
    assert [split.names for split in (data.train, data.val, data.test)] == [
        ["a", "in_b"], ["a"], ["c_noise_white_1.00e-02"],
    ]  # fmt: skip
    assert [cloud.oriented for cloud in data.train] == [True, False]
    assert data.test[0].category == "low_noise"
    with pytest.raises(UserError, match=r"expected data.unoriented to name clouds in .*, got foo, which matches none"):
        _ = Folder(tmp_path, unoriented=["in_*", "foo"]).test
    for split in (data.train, data.val, data.test):
        np.testing.assert_array_equal(split[0].pos, ROWS[:, :3].astype(np.float32))
        np.testing.assert_array_equal(split[0].normal, ROWS[:, 3:])


def test_lists(tmp_path):
    _write(tmp_path / "a.ply", tmp_path / "b.xyz", tmp_path / "in" / "c.txt", tmp_path / "d.npy")
    (tmp_path / "train.txt").write_text("d.npy\r\na\r\n")
    (tmp_path / "test.txt").write_text("in/c.txt\n")
    data = Folder(tmp_path)
    assert data.test.names == ["in_c"]
    assert sorted(data.train.names + data.val.names) == ["a", "d"]
    assert len(data.val) == 1
    (tmp_path / "val.txt").write_text("b\n")
    assert (Folder(tmp_path).train.names, Folder(tmp_path).val.names) == (["d", "a"], ["b"])
    (tmp_path / "val.txt").write_text("e\n")
    with pytest.raises(UserError, match=r"val.txt: expected names of clouds in .*, got e"):
        _ = Folder(tmp_path).val


def test_numbers_that_are_not_finite_are_told_before_a_cloud_is_drawn(tmp_path, caplog):
    wrong, none = ROWS.copy(), ROWS.copy()
    wrong[1, 0], wrong[2, 4], none[:, 3:] = np.nan, np.inf, np.nan
    _write(*(tmp_path / split / "a.ply" for split in ("train", "test")))
    _write(tmp_path / "val" / "a.ply", rows=wrong)
    assert len(Folder(tmp_path).val) == 1
    told = "val: clouds 1, rows 7; 1 row not finite dropped, 1 row without a normal kept, not scored"
    assert caplog.messages == [f"{tmp_path.name} {told}"]
    _write(tmp_path / "train" / "b.ply", rows=none)
    with pytest.raises(UserError, match=r"b\.ply: expected points with normals, got none in 7 rows"):
        _ = Folder(tmp_path).train


def test_training_clouds_in_another_list_are_told(tmp_path, caplog):
    _write(*(tmp_path / f"{name}.npy" for name in "abc"))
    (tmp_path / "train.txt").write_text("a\nb\n")
    (tmp_path / "test.txt").write_text("b\nc\n")
    assert Folder(tmp_path).test.names == ["b", "c"]
    assert (
        f"{tmp_path}: 1 cloud of test.txt also in train.txt, so its scores are partly those of training clouds: b"
        in (caplog.text)
    )


@pytest.mark.parametrize(
    ("there", "remedy"),
    [
        ("train/a.npy", "add clouds to the folder {}/test; without a test: test=false"),
        ("train.txt", "name clouds in the list {}/test.txt; without a test: test=false"),
        ("b.npy", "add clouds, or a folder test or a list test.txt, or set data.shares; without a test: test=false"),
    ],
)
def test_the_remedy_for_a_missing_split_is_that_of_the_layout(tmp_path, there, remedy):
    _write(tmp_path / "a.npy", tmp_path / "train" / "a.npy" if "/" in there else tmp_path / "b.npy")
    if there == "train.txt":
        (tmp_path / "train.txt").write_text("a\nb\n")
    with pytest.raises(UserError, match="expected clouds for test, found none; ") as caught:
        _ = Folder(tmp_path, shares=[1, 0, 0]).test
    assert str(caught.value).endswith(remedy.format(tmp_path))


def test_shares_hold_every_cloud_once(tmp_path):
    names = [f"{index:02d}" for index in range(12)]
    _write(*(tmp_path / f"{name}.npy" for name in names))
    data, same = Folder(tmp_path, seed=3), Folder(tmp_path, seed=3)
    parts = [split.names for split in (data.train, data.val, data.test)]
    assert sorted(name for part in parts for name in part) == names
    assert all(parts)
    assert parts == [split.names for split in (same.train, same.val, same.test)]


def test_the_folder_that_one_is_in_is_named(tmp_path, monkeypatch, caplog):
    _write(tmp_path / "parts" / "test" / "a.ply")
    monkeypatch.chdir(tmp_path / "parts")
    with caplog.at_level("INFO"):
        _ = Folder(".").test
    assert "parts test: clouds 1, rows 7" in caplog.text


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_not_utf_8(tmp_path, caplog):
    caplog.set_level("INFO")
    folder = tmp_path / os.fsdecode(b"Gr\xf6\xdfe")
    _write(*(folder / f"{os.fsdecode(name)}.npy" for name in (b"a\xe4", b"a\xf6", b"b", b"c")))
    data = Folder(folder)
    names = [name for split in (data.train, data.val, data.test) for name in split.names]
    assert sorted(names) == [r"a\xe4", r"a\xf6", "b", "c"]
    np.testing.assert_array_equal(data.test[0].normal, ROWS[:, 3:])
    assert r"Gr\xf6\xdfe test: clouds" in caplog.text


def test_rows_without_normals_stay(tmp_path):
    missing = ROWS.copy()
    missing[1, 3:], missing[4, 3:] = 0, np.nan
    _write(tmp_path / "train" / "a.ply", tmp_path / "test" / "a.xyz", rows=missing)
    for split in (Folder(tmp_path).train, Folder(tmp_path).test):
        np.testing.assert_array_equal(split[0].pos, ROWS[:, :3].astype(np.float32))
        np.testing.assert_array_equal(split[0].labelled, [True, False, True, True, False, True, True])
    missing[3:, 3:] = 0  # two normals of seven
    _write(tmp_path / "train" / "a.ply", tmp_path / "test" / "a.xyz", rows=missing)
    for split in (Folder(tmp_path).train, Folder(tmp_path).test):
        np.testing.assert_array_equal(split[0].labelled, [True, False, True, False, False, False, False])
    np.savetxt(tmp_path / "test" / "a.xyz", missing * [1, 1, 1, 0, 0, 0], header="x y z nx ny nz")
    with pytest.raises(UserError, match=r"a.xyz: expected points with normals, got none in 7 rows"):
        _ = Folder(tmp_path).test


def test_what_is_wrong_is_named(tmp_path):
    with pytest.raises(UserError, match="expected a folder of clouds"):
        _ = Folder(tmp_path / "no").train
    with pytest.raises(UserError, match=r"expected files of type .ply"):
        _ = Folder(tmp_path).train
    with pytest.raises(UserError, match=r"data.shares: expected three shares"):
        Folder(tmp_path, shares=(0.5, 0.4))
    _write(tmp_path / "train" / "a.ply")
    with pytest.raises(UserError, match="expected clouds for test, found none"):
        _ = Folder(tmp_path).test
    _write(tmp_path / "train" / "b.xyz", rows=ROWS[:, :3])
    with pytest.raises(UserError, match=r"b.xyz: expected normals .*got x y z$"):
        _ = Folder(tmp_path, shares=(1, 0, 0)).train
    _write(tmp_path / "train" / "b.ply")
    with pytest.raises(UserError, match=r"expected one file for each name, got b.ply and b.xyz"):
        _ = Folder(tmp_path).train
