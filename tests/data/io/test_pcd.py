"""PCD files: nothing but the normals changes; pypcd4 reads what is written."""

import numpy as np
import pypcd4
import pytest

from tensorframes.data.io import read_cloud, write_cloud
from tensorframes.data.io.columns import Columns, table_of
from tensorframes.errors import UserError


def header(fields: str, sizes: str, types: str, counts: str, data: str, width: int = 3, height: int = 1) -> str:
    return (
        f"# .PCD v0.7 - Point Cloud Data file format\nVERSION .7\nFIELDS {fields}\nSIZE {sizes}\nTYPE {types}\n"
        f"COUNT {counts}\nWIDTH {width}\nHEIGHT {height}\nVIEWPOINT 1 2 3 0 1 0 0\n"
        f"POINTS {width * height}\nDATA {data}\n"
    )


def table(pos: np.ndarray) -> np.ndarray:
    """Rows as ROS drivers write them: padding between the fields and behind them."""
    kinds = [("x", "<f4"), ("y", "<f8"), ("z", "<f4"), ("p", "u1", (4,)), ("ring", "<u2"), ("q", "u1", (10,))]
    rows = np.zeros(len(pos), dtype=kinds)
    rows["x"], rows["y"], rows["z"] = pos.T
    rows["p"], rows["ring"] = 170, np.arange(len(pos))
    return rows


def test_padding_viewpoint_and_order_are_kept(through, pos):
    before = ("x y z _ ring _", "4 8 4 1 2 1", "F F F U U U", "1 1 1 4 1 10", "binary")
    columns, written = through(header(*before).encode() + table(pos).tobytes(), "a.pcd")
    np.testing.assert_array_equal(columns.pos, pos)
    assert columns.names == ("x", "y", "z", "ring")
    normals = (" normal_x normal_y normal_z", " 4 4 4", " F F F", " 1 1 1", "")
    after = header(*(left + right for left, right in zip(before, normals, strict=True)))
    assert written.startswith(after.encode())
    rows = np.frombuffer(written[len(after) :], dtype=np.dtype([("old", table(pos).dtype), ("normal", "<f4", (3,))]))
    np.testing.assert_array_equal(rows["old"], table(pos))


def test_organised_clouds_keep_their_rows_and_shape(tmp_path, through):
    values = np.array([[1, 2, 3], [np.nan] * 3, [4, 5, 6], [7, 8, 10]], dtype="<f4")
    content = header("x y z", "4 4 4", "F F F", "1 1 1", "binary", 2, 2).encode() + values.tobytes()
    (tmp_path / "a.pcd").write_bytes(content)
    columns = read_cloud(tmp_path / "a.pcd")
    write_cloud(tmp_path / "b.pcd", columns.with_normals(np.zeros((4, 3))))
    cloud = pypcd4.PointCloud.from_path(tmp_path / "b.pcd")
    assert (cloud.metadata.width, cloud.metadata.height, cloud.metadata.viewpoint) == (2, 2, (1, 2, 3, 0, 1, 0, 0))
    np.testing.assert_array_equal(cloud.numpy(("x", "y", "z")), values)
    assert (tmp_path / "b.pcd").stat().st_size == len(content) + 4 * 12 + len(
        " normal_x normal_y normal_z 4 4 4 F F F 1 1 1"
    )


def test_text_and_own_normals_are_kept_in_place(through):
    fields = ("x y z normal_x normal_y normal_z curvature", "4 4 4 4 4 4 4", "F F F F F F F", "1 1 1 1 1 1 1", "ascii")
    columns, written = through(
        header(*fields) + "0.50 1 2 0 0 1 0.0\n1 2\t3 0 0 1 1.50\n-4 5 6 nan nan nan 7\n", "a.pcd"
    )
    assert columns.normals == ("normal_x", "normal_y", "normal_z")
    assert written.decode() == header(*fields) + "0.50 1 2 0 0 -1 0.0\n1 2 3 0.6 0.8 0 1.50\n-4 5 6 1 0 0 7\n"


def test_compressed_files_of_other_programs(through, tmp_path, pos):
    values, kinds = np.c_[pos, [1, 2, 3]], (np.float32, np.float32, np.float64, np.uint16)
    cloud = pypcd4.PointCloud.from_points(values, ("x", "y", "z", "ring"), kinds)
    cloud.save(tmp_path / "a.pcd", encoding=pypcd4.Encoding.BINARY_COMPRESSED)
    columns, _ = through((tmp_path / "a.pcd").read_bytes(), "a.pcd")
    np.testing.assert_array_equal(columns.pos, pos)
    again = pypcd4.PointCloud.from_path(tmp_path / "out.pcd")
    assert again.metadata.data == pypcd4.Encoding.BINARY_COMPRESSED
    np.testing.assert_array_equal(again.numpy(("x", "y", "z", "ring")), values)


@pytest.mark.parametrize("data", ["ascii", "binary", "binary_compressed"])
def test_fields_of_many_numbers_are_kept(tmp_path, through, pos, data):
    wide = np.random.default_rng(0).normal(size=(3, 33)).astype("<f4")
    content = header("x y z fpfh", "4 4 4 4", "F F F F", "1 1 1 33", "binary").encode()
    columns, _ = through(content + np.c_[pos, wide].astype("<f4").tobytes(), "a.pcd")
    np.testing.assert_array_equal(columns.table["fpfh"], wide)
    again = read_cloud(tmp_path / "out.pcd")
    text = (tmp_path / "out.pcd").read_bytes()
    assert b"COUNT 1 1 1 33 1 1 1" in text
    np.testing.assert_array_equal(again.table["fpfh"], wide)
    rows = "\n".join(" ".join(str(value) for value in row) for row in np.c_[pos, wide].astype("f4"))
    columns, _ = through(header("x y z fpfh", "4 4 4 4", "F F F F", "1 1 1 33", "ascii") + rows, "b.pcd")
    np.testing.assert_array_equal(columns.table["fpfh"], wide)


def test_other_columns_become_fields(tmp_path, pos):
    arrays = {"X": pos[:, 0], "Y": pos[:, 1], "Z": pos[:, 2], "time": np.array([2**40, 1, 2]), "on": pos[:, 0] > 0}
    write_cloud(tmp_path / "a.pcd", Columns(table_of(arrays)))
    cloud = pypcd4.PointCloud.from_path(tmp_path / "a.pcd")
    assert (cloud.metadata.type, cloud.metadata.size) == (("F", "F", "F", "I", "U"), (8, 8, 8, 8, 1))
    assert cloud.fields[:3] == ("x", "y", "z")
    assert cloud.pc_data["time"].tolist() == [2**40, 1, 2]


def test_old_headers(through):
    assert through("VERSION .5\nCOLUMNS x y z\nPOINTS 2\nDATA ascii\n1 2 3\n4 5 6\n", "a.pcd")[0].pos.tolist() == [
        [1, 2, 3],
        [4, 5, 6],
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"junk\n", "a header with the line 'junk'"),
        (b"\xba\x8c4\x13\x0f\n", "expected a PCD file, got no header of text"),
        (b"VERSION 0.7\nFIELDS x y z\n", "no header that ends with DATA"),
        (b"FIELDS x y z\nSIZE 4 4\nTYPE F F F\nPOINTS 1\nDATA ascii\n1 2 3\n", "that disagree"),
        (b"FIELDS x y z\nSIZE 2 2 2\nTYPE F F F\nPOINTS 1\nDATA ascii\n1 2 3\n", "TYPE F and SIZE 2"),
        (b"FIELDS x y z\nPOINTS 1\nDATA packed\n", "DATA packed"),
        (b"FIELDS x y z\nWIDTH -1\nHEIGHT -1\nDATA ascii\n1 2 3\n", "WIDTH -1 and HEIGHT -1"),
        (b"FIELDS x y z\nPOINTS\nDATA ascii\n1 2 3\n", "a header with a line without its value"),
        (b"FIELDS x y z\nPOINTS 9\nDATA ascii\n1 2 3\n", "expected 9 rows, got 1"),
        (b"FIELDS x y z\nPOINTS 1\nDATA ascii\n1 2\n", "expected 3 numbers a row, got 2"),
        (b"FIELDS x y z\nPOINTS 2\nDATA ascii\n1 2 3\n4 5\n", "row 2: expected 3 numbers, got '4 5'"),
        (b"FIELDS x y z\nPOINTS 1\nDATA binary_compressed\n123", "expected compressed rows, got 3 bytes"),
        (b"FIELDS x y z\nPOINTS 1000000000\nDATA binary\n1234", "got 4 bytes"),
        (b"FIELDS x y z\nPOINTS 1000000000\nDATA binary_compressed\n12345678", "compressed"),
        (b"FIELDS x y z\nPOINTS 1\nDATA binary_compressed\n\x04\0\0\0\x0c\0\0\0\xff\xff\xff\xff", "got bytes that"),
        (b"FIELDS x y i\nPOINTS 1\nDATA ascii\n1 2 3\n", "expected columns x, y, z, got x, y, i"),
        (b"FIELDS x y z i\nSIZE 4 4 4 1\nTYPE F F F U\nPOINTS 1\nDATA ascii\n1 2 3 300\n", "8 bits in i, got others"),
    ],
)  # fmt: skip
def test_broken_files_are_one_line(tmp_path, content, message):
    (tmp_path / "a.pcd").write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_cloud(tmp_path / "a.pcd")
    assert str(caught.value).startswith(f"{tmp_path / 'a.pcd'}: expected")
    assert "\n" not in str(caught.value)
