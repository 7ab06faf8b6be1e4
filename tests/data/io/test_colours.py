"""Colours arrive in other kinds of files under the names and in the types that programs look for."""

from pathlib import Path

import laspy
import numpy as np
import plyfile
import pytest
from pypcd4 import PointCloud

from tensorframes.data.io import Columns, read_cloud, table_of, write_cloud

RED, GREEN, BLUE = (np.array(each, dtype="u1") for each in ([255, 0, 7], [0, 128, 8], [3, 254, 9]))
BITS = RED.astype("u4") << 16 | GREEN.astype("u4") << 8 | BLUE
TEXT = "1 2 3 255 0 3 0.5\n4 5 6 0 128 254 0.25\n-7 8 9.5 7 8 9 0\n"


@pytest.fixture(params=["// X Y Z R G B Intensity\n", "x y z Color_R Color_G Color_B i\n", "x y z red green blue i\n"])
def text(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text(request.param + TEXT)
    return tmp_path / "a.txt"


def test_named_colours_are_colours_elsewhere(text: Path) -> None:
    for suffix in (".ply", ".las", ".pcd"):
        write_cloud(text.with_suffix(suffix), read_cloud(text))
    vertices = plyfile.PlyData.read(str(text.with_suffix(".ply")))["vertex"].data
    assert [vertices.dtype[name].str for name in ("red", "green", "blue")] == ["|u1"] * 3
    np.testing.assert_array_equal(vertices["green"], GREEN)
    np.testing.assert_array_equal(laspy.read(text.with_suffix(".las")).green, GREEN)
    cloud = PointCloud.from_path(text.with_suffix(".pcd"))
    assert cloud.fields[:4] == ("x", "y", "z", "rgb")
    np.testing.assert_array_equal(PointCloud.decode_rgb(cloud.pc_data["rgb"]), np.c_[RED, GREEN, BLUE])


def test_colours_without_names_have_some_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("".join(f"{line.rpartition(' ')[0]}\n" for line in TEXT.splitlines()))
    write_cloud(tmp_path / "a.ply", read_cloud(tmp_path / "a.xyz"))
    vertices = plyfile.PlyData.read(str(tmp_path / "a.ply"))["vertex"].data
    assert vertices.dtype.names == ("x", "y", "z", "red", "green", "blue")
    np.testing.assert_array_equal(vertices["blue"], BLUE)


@pytest.mark.parametrize("kind", ["f4", "u4", ">f4"])
@pytest.mark.parametrize("suffix", [".ply", ".las", ".csv", ".npz", ".h5"])
def test_packed_colours_are_three_elsewhere(tmp_path: Path, pos: np.ndarray, kind: str, suffix: str) -> None:
    packed = BITS.view("f4").astype(kind) if kind.endswith("f4") else BITS
    write_cloud(tmp_path / "a.pcd", Columns(table_of({"xyz": pos, "rgb": packed, "i": np.arange(3.0)})))
    write_cloud(tmp_path / f"a{suffix}", read_cloud(tmp_path / "a.pcd"))
    found = read_cloud(tmp_path / f"a{suffix}")
    assert "rgb" not in found.names
    for name, values in (("red", RED), ("green", GREEN), ("blue", BLUE)):
        np.testing.assert_array_equal(found.table[name], values)


def test_packed_colours_stay_in_their_own_kind(tmp_path: Path, pos: np.ndarray) -> None:
    write_cloud(tmp_path / "a.pcd", Columns(table_of({"xyz": pos, "rgb": BITS.view("f4")})))
    write_cloud(tmp_path / "b.pcd", read_cloud(tmp_path / "a.pcd"))
    assert (tmp_path / "b.pcd").read_bytes() == (tmp_path / "a.pcd").read_bytes()


def test_alpha_is_the_highest_byte(tmp_path: Path, pos: np.ndarray) -> None:
    write_cloud(tmp_path / "a.pcd", Columns(table_of({"xyz": pos, "rgba": BITS | np.uint32(200 << 24)})))
    write_cloud(tmp_path / "a.ply", read_cloud(tmp_path / "a.pcd"))
    vertices = plyfile.PlyData.read(str(tmp_path / "a.ply"))["vertex"].data
    assert vertices.dtype.names == ("x", "y", "z", "red", "green", "blue", "alpha")
    assert (vertices["alpha"] == 200).all()
    np.testing.assert_array_equal(vertices["red"], RED)


@pytest.mark.parametrize("values", [np.array([0.0, 0.5, 1.0]), np.array([0.0, 1.0, 1.0]), np.array([0, 256, 9])])
def test_other_colours_are_not_packed(tmp_path: Path, pos: np.ndarray, values: np.ndarray) -> None:
    write_cloud(tmp_path / "a.pcd", Columns(table_of({"xyz": pos, "red": values, "green": values, "blue": values})))
    found = read_cloud(tmp_path / "a.pcd")
    assert found.names == ("x", "y", "z", "red", "green", "blue")
    np.testing.assert_array_equal(found.table["red"], values)


@pytest.mark.open3d
def test_open3d_finds_the_colours(open3d, text: Path) -> None:
    for suffix in (".pcd", ".ply"):
        write_cloud(text.with_suffix(suffix), read_cloud(text))
        cloud = open3d.io.read_point_cloud(str(text.with_suffix(suffix)))
        np.testing.assert_allclose(np.asarray(cloud.colors) * 255, np.c_[RED, GREEN, BLUE], atol=0.5)
