"""Columns whose names another kind of file takes for something else: none is lost or put in another's place."""

import numpy as np
import plyfile
import pytest

from tensorframes.data.io import Columns, read_cloud, table_of, write_cloud

NAMES = ("a b", "a_b", "m/s", "m_s", ".", "X", "normal", "pos", "intensity", "nx_")


@pytest.mark.parametrize("suffix", [".ply", ".pcd", ".las", ".laz", ".npy", ".npz", ".csv", ".h5"])
def test_every_column_is_kept_once(tmp_path, pos, unit, suffix):
    others = {name: np.full(3, -2 - place, "i4") for place, name in enumerate(NAMES)}
    columns = Columns(table_of({**dict(zip("xyz", pos.T, strict=True)), **others})).with_normals(unit)
    write_cloud(tmp_path / f"a{suffix}", columns)
    found = read_cloud(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(found.pos, pos)
    assert found.normal is not None
    np.testing.assert_array_equal(found.normal.astype("f4"), unit)
    numbers = [found.table[name].tolist() for name in found.names]
    for values in others.values():
        assert numbers.count(values.tolist()) == 1


def test_names_that_become_the_same_word_stay_apart(tmp_path, pos):
    columns = Columns(table_of({"xyz": pos, "a b": np.arange(3), "a_b": np.arange(3)}))
    for name in ("a.ply", "a.pcd"):
        write_cloud(tmp_path / name, columns)
    assert plyfile.PlyData.read(str(tmp_path / "a.ply"))["vertex"].data.dtype.names == ("x", "y", "z", "a_b", "a_b_2")
    assert b"\nFIELDS x y z a_b a_b_2\n" in (tmp_path / "a.pcd").read_bytes()


def test_new_columns_of_an_archive_take_no_name_of_its_own(tmp_path, pos, unit):
    np.savez(tmp_path / "a.npz", points=pos, other=np.zeros(5))
    columns = read_cloud(tmp_path / "a.npz").with_columns({"normal": np.arange(3), "points": np.arange(3)})
    write_cloud(tmp_path / "b.npz", columns.with_normals(unit))
    with np.load(tmp_path / "b.npz") as archive:
        np.testing.assert_array_equal(archive["points"], pos)
        np.testing.assert_array_equal(archive["normal"], unit)
        np.testing.assert_array_equal(archive["normal_2"], np.arange(3))
