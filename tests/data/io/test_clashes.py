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


@pytest.mark.parametrize("suffix", [".ply", ".pcd", ".las"])
def test_columns_that_make_room_do_not_meet_others(tmp_path, pos, suffix):
    others = {name: np.full(3, value, "i4") for value, name in enumerate(("x", "x_", "red", "red_"), 2)}
    packed = {"rgb": np.array([0x0000FF, 0x00FF00, 0xFF0000], "u4")}
    names = ("pos_x", "pos_y", "pos_z")
    columns = Columns(table_of({**dict(zip(names, pos.T, strict=True)), **others, **packed}))
    write_cloud(tmp_path / f"a{suffix}", columns)
    found = read_cloud(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(found.pos, pos)
    numbers = [found.table[name].tolist() for name in found.names]
    assert all(numbers.count([value] * 3) == 1 for value in (2, 3, 4, 5))


def test_names_that_become_the_same_word_stay_apart(tmp_path, pos):
    columns = Columns(table_of({"xyz": pos, "a b": np.arange(3), "a_b": np.arange(3)}))
    for name in ("a.ply", "a.pcd"):
        write_cloud(tmp_path / name, columns)
    assert plyfile.PlyData.read(str(tmp_path / "a.ply"))["vertex"].data.dtype.names == ("x", "y", "z", "a_b", "a_b_2")
    assert b"\nFIELDS x y z a_b a_b_2\n" in (tmp_path / "a.pcd").read_bytes()


@pytest.mark.parametrize("suffix", [".ply", ".pcd", ".las", ".laz", ".csv", ".xyz"])
def test_a_column_of_one_number_per_row_is_a_plain_one(tmp_path, pos, unit, suffix):
    np.savez(tmp_path / "a.npz", points=pos, label=np.array([[7], [8], [9]], "u1"))
    write_cloud(tmp_path / f"b{suffix}", read_cloud(tmp_path / "a.npz").with_normals(unit))
    found = read_cloud(tmp_path / f"b{suffix}").table["label"]
    assert (found.dtype, found.tolist()) == (np.uint8, [7, 8, 9])


def test_new_columns_of_an_archive_take_no_name_of_its_own(tmp_path, pos, unit):
    np.savez(tmp_path / "a.npz", points=pos, other=np.zeros(5))
    columns = read_cloud(tmp_path / "a.npz").with_columns({"normal": np.arange(3), "points": np.arange(3)})
    write_cloud(tmp_path / "b.npz", columns.with_normals(unit))
    with np.load(tmp_path / "b.npz") as archive:
        np.testing.assert_array_equal(archive["points"], pos)
        np.testing.assert_array_equal(archive["normal"], unit)
        np.testing.assert_array_equal(archive["normal_2"], np.arange(3))


@pytest.mark.parametrize("source", ["a.ply", "a.pcd"])
@pytest.mark.parametrize("target", [".ply", ".pcd", ".las", ".npy", ".npz", ".csv", ".h5"])
def test_names_in_latin_1_are_read_and_kept(tmp_path, unit, source, target):
    properties = "".join(f"property float {name}\n" for name in ("x", "y", "z", "Höhe"))
    ply = f"ply\nformat ascii 1.0\nelement vertex 1\n{properties}end_header\n1 2 3 4\n"
    pcd = "FIELDS x y z Höhe\nSIZE 4 4 4 4\nTYPE F F F F\nPOINTS 1\nDATA ascii\n1 2 3 4\n"
    (tmp_path / source).write_bytes((ply if source == "a.ply" else pcd).encode("latin-1"))
    write_cloud(tmp_path / f"b{target}", read_cloud(tmp_path / source).with_normals(unit[:1]))
    found = read_cloud(tmp_path / f"b{target}")
    assert found.table["Höhe"].tolist() == [4]
    if source.endswith(target):
        assert "Höhe".encode("latin-1") in (tmp_path / f"b{target}").read_bytes()


@pytest.mark.parametrize("suffix", [".ply", ".pcd", ".las", ".npy", ".npz", ".csv", ".xyz", ".h5"])
@pytest.mark.parametrize("names", ["nx ny", "Nx Nz", "normal_x normal_y", "nx normal_y", "n-z", "NormalX"])
def test_an_incomplete_normal_is_kept_beside_the_new_one(tmp_path, pos, unit, suffix, names):
    own = {name: np.full(3, 7 + place, "i4") for place, name in enumerate(names.split())}
    write_cloud(tmp_path / f"a{suffix}", Columns(table_of({**dict(zip("xyz", pos.T, strict=True)), **own})))
    write_cloud(tmp_path / f"b{suffix}", read_cloud(tmp_path / f"a{suffix}").with_normals(unit))
    found = read_cloud(tmp_path / f"b{suffix}")
    np.testing.assert_array_equal(found.normal.astype("f4"), unit)
    numbers = [found.table[name].tolist() for name in found.names]
    assert all(numbers.count(values.tolist()) == 1 for values in own.values())
