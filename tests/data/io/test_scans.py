"""PTX and the scans of KITTI and nuScenes, which are only read, as E57 is."""

import numpy as np
import pytest

from tensorframes.data.io import expect_target, read_cloud, write_cloud
from tensorframes.errors import UserError


def test_a_scan_of_kitti(tmp_path, pos):
    rows = np.c_[pos, [0.1, 0.2, 0.3]].astype("<f4")
    (tmp_path / "0.bin").write_bytes(rows.tobytes())
    columns = read_cloud(tmp_path / "0.bin")
    np.testing.assert_array_equal(columns.pos, pos)
    np.testing.assert_array_equal(columns.table["reflectance"], rows[:, 3])
    np.testing.assert_array_equal(columns.sensor, [0, 0, 0])


def test_rows_of_nan_alone_keep_their_place_in_a_scan_of_kitti(tmp_path, pos):
    rows = np.c_[pos, [0.1, 0.2, 0.3]].astype("<f4")
    rows[1] = np.nan
    (tmp_path / "0.bin").write_bytes(rows.tobytes())
    np.testing.assert_array_equal(read_cloud(tmp_path / "0.bin").pos, rows[:, :3])
    rows[1] = [1, 2, 3, np.nan]
    (tmp_path / "0.bin").write_bytes(rows.tobytes())
    with pytest.raises(UserError, match="a reflectance of nan: the rows are not of four float32"):
        read_cloud(tmp_path / "0.bin")


def test_other_rows_are_no_scan_of_kitti(tmp_path, pos):
    for content, message in (
        (b"0" * 30, "30 bytes, no multiple of 16"),
        (np.zeros((3, 5), "<f4").tobytes(), "60 bytes, no multiple of 16"),
        (np.c_[pos, pos].astype("<f4").ravel()[:16].tobytes(), "a reflectance of -4: the rows are not of four"),
        (np.full(8, np.nan, "<f4").tobytes(), "a reflectance of nan"),
    ):
        (tmp_path / "0.bin").write_bytes(content)
        with pytest.raises(UserError, match=message):
            read_cloud(tmp_path / "0.bin")


@pytest.mark.parametrize("count", [3, 4])
def test_a_scan_of_nuscenes(tmp_path, count):
    rows = np.arange(-10, 5 * count - 10).reshape(count, 5).astype("<f4")
    rows[:, 3:] = [[7, ring] for ring in range(count)]
    (tmp_path / "0.pcd.bin").write_bytes(rows.tobytes())
    columns = read_cloud(tmp_path / "0.pcd.bin")
    assert columns.names == ("x", "y", "z", "reflectance", "ring")
    np.testing.assert_array_equal(columns.table.view("<f4").reshape(-1, 5), rows)
    rows[1, 4] = 0.5
    (tmp_path / "0.pcd.bin").write_bytes(rows.tobytes())
    with pytest.raises(UserError, match=r"no multiple of 16|the rows are not of four float32"):
        read_cloud(tmp_path / "0.pcd.bin")


@pytest.mark.parametrize("name", ["a.bin", "a.e57", "a.ptx"])
def test_they_are_no_targets(tmp_path, name):
    with pytest.raises(UserError, match=r"normals.*; choose \.ply"):
        expect_target(tmp_path / name)


def ptx(columns: int, rows: int, lines: str, matrix: str = "1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n") -> str:
    """A scan."""
    return f"{columns}\n{rows}\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n{matrix}{lines}"


TURNED = "0 1 0 0\n-1 0 0 0\n0 0 1 0\n1000000 0 0.5 1\n"  # by 90 degrees about z
COLOURED = ptx(1, 3, "0.5 1.5 2.5 0.1 255 0 7\n0 0 0 0.5 0 0 0\n-4 5 6.25 1 0 0 9\n", TURNED)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_scans_of_a_ptx_are_one_cloud(tmp_path, pos, ends):
    first = ptx(3, 1, "".join(f"{x} {y} {z} 0.25\n" for x, y, z in pos))
    (tmp_path / "a.ptx").write_text((first + COLOURED).replace("\n", ends))
    columns = read_cloud(tmp_path / "a.ptx")
    turned = np.stack([1e6 - pos[:, 1], pos[:, 0], pos[:, 2] + 0.5], axis=1)
    turned[1] = np.nan
    np.testing.assert_array_equal(columns.pos, np.concatenate([pos, turned]))
    assert columns.names == ("x", "y", "z", "intensity", "scan")
    np.testing.assert_array_equal(columns.table["intensity"], [0.25, 0.25, 0.25, 0.1, 0.5, 1])
    np.testing.assert_array_equal(columns.table["scan"], [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(columns.sensor, [[0, 0, 0]] * 3 + [[1e6, 0, 0.5]] * 3)
    assert columns.other_content == ("poses", *(f"{name} of some scans" for name in ("red", "green", "blue")))


def test_one_scan_of_a_ptx_is_organised(tmp_path):
    (tmp_path / "scan").write_text(ptx(2, 3, "".join(f"{row} 1 2 0.5 1 2 255\n" for row in range(6))))
    columns = read_cloud(tmp_path / "scan")
    assert (columns.suffix, columns.shape, columns.other_content) == (".ptx", (2, 3), ())
    assert columns.names == ("x", "y", "z", "intensity", "red", "green", "blue")
    assert columns.table.dtype["blue"] == np.uint8
    write_cloud(tmp_path / "a.pcd", columns)
    assert read_cloud(tmp_path / "a.pcd").shape == (2, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1 2 3\n", "no header of columns, rows, scanner, axes and matrix"),
        (ptx(2, 2, "1 2 3 0.5\n"), "1 point of scan 1, not 2 x 2"),
        (ptx(10**6, 10**6, "1 2 3 0.5\n"), "1 point of scan 1, not 1000000 x 1000000"),
        (ptx(1, 1, "1 2 3 0.5\n1 2 3 0.5\n"), "no header of scan 2 in line 12 of those that are not blank"),
        (ptx(1, 1, "1 2 3 4 5\n"), "rows of 5 numbers, not x y z intensity"),
        (ptx(1, 2, "1 2 3 4\n1 2 x 4\n"), "row 2: expected 4 numbers, got '1 2 x 4'"),
        (ptx(0, 0, ""), "no points"),
    ],
)
def test_broken_ptx_files_are_one_line(tmp_path, content, message):
    (tmp_path / "a.ptx").write_text(content)
    with pytest.raises(UserError, match=rf"a\.ptx: expected a whole PTX file, got: {message}"):
        read_cloud(tmp_path / "a.ptx")
