"""PLY files: nothing but the normals changes, whatever else is in them; plyfile reads what is written."""

import struct
import warnings

import numpy as np
import plyfile
import pytest

from tensorframes.data.io import parse_cloud, read_cloud, write_cloud
from tensorframes.data.io.columns import Columns, table_of
from tensorframes.errors import UserError

XYZ = "property float x\nproperty float y\nproperty float z\n"
NORMAL = "property float nx\nproperty float ny\nproperty float nz\n"
ROWS = "0.50 1.5 2.5\n1 2 3\n-4 5 6.25\n"
WITH = "0.50 1.5 2.5 0 0 -1\n1 2 3 0.6 0.8 0\n-4 5 6.25 1 0 0\n"


def header(body: str, form: str = "ascii", ends: str = "\n") -> str:
    return f"ply\nformat {form} 1.0\n{body}end_header\n".replace("\n", ends)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_comments_and_a_range_grid_stay_in_place(through, pos, ends):
    before = "obj_info num_cols 2\ncomment Größe: 3 m\nelement vertex 3\ncomment of the points\n" + XYZ
    after = "element range_grid 4\nproperty list uchar int vertex_indices\nobj_info late\n"
    grid = "1 0\n0\n1 1\n1 2\n"
    content = header(before + after, ends=ends) + (ROWS + grid).replace("\n", ends)
    columns, written = through(content, "a.ply")
    np.testing.assert_array_equal(columns.pos, pos)
    assert columns.other_content == ("element range_grid",)
    assert written.decode() == header(before + NORMAL + after, ends=ends) + (WITH + grid).replace("\n", ends)


def test_an_empty_list_of_faces_is_silent(through):
    content = header(f"element vertex 3\n{XYZ}element face 0\nproperty list uchar int vertex_indices\n") + ROWS
    assert through(content, "a.ply")[0].other_content == ()


def test_names_and_types_are_kept_as_the_file_spells_them(through):
    kinds = "property float32 Z\nproperty float32 X\nproperty float32 Y\nproperty uint8 scalar_(dB)\n"
    rows = "1 2 3 255.0\n4 5 6 7\n"
    columns, written = through(header("element vertex 2\n" + kinds) + rows, "a.ply")
    assert columns.names == ("Z", "X", "Y", "scalar_(dB)")
    normals = "".join(f"property float32 n{axis}\n" for axis in "xyz")
    rows = "1 2 3 255.0 0 0 -1\n4 5 6 7 0.6 0.8 0\n"
    assert written.decode() == header("element vertex 2\n" + kinds + normals) + rows


def test_normals_of_whole_numbers_become_floats(through):
    bytes_of = "".join(f"property char n{axis}\n" for axis in "xyz") + "property uchar red\n"
    body = b"".join(struct.pack("<3f3bB", 0.5, row, 2, 0, 0, 127, row) for row in range(3))
    columns, written = through(
        header(f"element vertex 3\n{XYZ}{bytes_of}", "binary_little_endian").encode() + body, "a.ply"
    )
    assert columns.normals == ("nx", "ny", "nz")
    assert header(f"element vertex 3\n{XYZ}{NORMAL}property uchar red\n", "binary_little_endian").encode() in written
    text = header(f"element vertex 2\n{XYZ}{bytes_of}") + "1 2 3 0 0 127 9\n4 5 6 0 0 127 8\n"
    assert through(text, "b.ply")[1].decode().endswith("\n1 2 3 0 0 -1 9\n4 5 6 0.6 0.8 0 8\n")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("lengths", [(0, 1, 2), (2, 2, 2), (0, 0, 0)])
def test_binary_files_with_lists_and_other_elements(through, tmp_path, pos, order, lengths):
    form = {"<": "binary_little_endian", ">": "binary_big_endian"}[order]
    faces = "element face 2\nproperty list uchar int indices\nproperty uchar flag\n"
    points = "element vertex 3\nproperty double x\nproperty double y\nproperty double z\n"
    points += "property list ushort short near\nproperty uchar q\n"
    edges = "element edge 1\nproperty int a\n"
    before = struct.pack(f"{order}B3iBB4iB", 3, 0, 1, 2, 7, 4, 0, 1, 2, 0, 9)
    rows = [
        struct.pack(f"{order}3dH{count}hB", *point, count, *range(count), count)
        for point, count in zip(pos, lengths, strict=True)
    ]
    after = struct.pack(f"{order}i", 5)
    columns, written = through(header(faces + points + edges, form).encode() + before + b"".join(rows) + after, "a.ply")
    np.testing.assert_array_equal(columns.pos, pos)
    assert [list(near) for near in columns.table["near"]] == [list(range(count)) for count in lengths]
    assert written.startswith(header(faces + points + NORMAL + edges, form).encode() + before)
    assert written.endswith(after)
    ply = plyfile.PlyData.read(str(tmp_path / "out.ply"))
    assert [list(near) for near in ply["vertex"]["near"]] == [list(range(count)) for count in lengths]
    assert ply["vertex"]["nz"].tolist() == [-1, 0, 0]
    assert ply["edge"]["a"].tolist() == [5]


def test_text_with_lists(through, tmp_path):
    body = (
        f"element vertex 2\n{XYZ}property list uchar int view\nproperty char nx\nproperty char ny\nproperty char nz\n"
    )
    columns, written = through(header(body) + "1 2 3 2 8 9 0 0 1\n4 5 6 0 0 0 1\n", "a.ply")
    assert [list(view) for view in columns.table["view"]] == [[8, 9], []]
    assert written.decode().endswith("end_header\n1 2 3 2 8 9 0 0 -1\n4 5 6 0 0.6 0.8 0\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # plyfile reads the empty list by np.loadtxt
        assert list(plyfile.PlyData.read(str(tmp_path / "out.ply"))["vertex"]["view"][0]) == [8, 9]


def test_types_that_ply_lacks_become_the_nearest_that_loses_nothing(tmp_path, pos):
    arrays = {
        "X": pos[:, 0].astype("f2"), "Y": pos[:, 1].astype("f8"), "Z": pos[:, 2].astype("f4"),
        "label": np.array([0, 1, 70000], "i8"), "time": np.array([2**40 + 1, 1, 2], "i8"),
        "on": np.array([True, False, True]),
    }  # fmt: skip
    write_cloud(tmp_path / "a.ply", Columns(table_of(arrays)))
    ply = plyfile.PlyData.read(str(tmp_path / "a.ply"))["vertex"]
    assert [p.val_dtype for p in ply.properties] == ["f4", "f8", "f4", "i4", "f8", "u1"]
    assert [p.name for p in ply.properties] == ["x", "y", "z", "label", "time", "on"]
    for name, values in arrays.items():
        np.testing.assert_array_equal(ply[name.lower()], values)


def test_wide_columns_become_lists(tmp_path, pos):
    wide, colours = np.arange(900, dtype="f4").reshape(3, 300), np.arange(9, dtype="u1").reshape(3, 3)
    write_cloud(tmp_path / "a.ply", Columns(table_of({"xyz": pos, "rgb": colours, "fpfh": wide[:, :33], "long": wide})))
    ply = plyfile.PlyData.read(str(tmp_path / "a.ply"))["vertex"]
    np.testing.assert_array_equal(np.stack([ply["x"], ply["y"], ply["z"]], 1), pos)
    np.testing.assert_array_equal(np.stack([ply["red"], ply["green"], ply["blue"]], 1), colours)
    np.testing.assert_array_equal(np.stack(list(ply["fpfh"])), wide[:, :33])
    np.testing.assert_array_equal(np.stack(list(ply["long"])), wide)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"junk", "got no header from ply to end_header"),
        (b"ply\n\xff\xfe\x00", "no header"),
        (header("element vertex 3\nproperty float x\n").encode() + b"1\n", "3 rows of vertex, the file ends before"),
        (header("element vertex 9\n" + XYZ, "binary_little_endian").encode() + b"12345", "9 rows of vertex"),
        (header("element vertex 1\n" + XYZ, "zipped").encode(), "the line 'format zipped 1.0'"),
        (header("element vertex 1\nproperty string x\n").encode(), "the line 'property string x'"),
        (header("element vertex 1\nproperty float x\n").encode() + b"1\n", "expected columns x, y, z, got x"),
        (
            header("element vertex 1\nproperty list uchar int i\n" + XYZ, "binary_little_endian")
            .replace("x 1\n", f"x {10**15}\n")
            .encode(),
            r"1,000,000,000,000,000 rows of vertex, the file ends before",
        ),
        (header("element face 1\nproperty float w\n").encode() + b"1\n", "element vertex, got face"),
        (header("element vertex 0\n" + XYZ).encode(), "expected points, got none"),
        (header(f"element vertex 1\n{XYZ}property uchar r\n").encode() + b"1 2 3 300\n", "r that its type can't hold"),
        (
            header("element vertex 2\n" + XYZ).encode() + b"1 2 3\nend of all\n",
            "row 2: expected 3 numbers, got 'end of all'",
        ),
        (header("element vertex 2\n" + XYZ).encode() + b"1 2 3\n1 2 3 4\n", "row 2: expected 3 numbers, got '1 2 3 4'"),
        (header("element vertex 2\n" + XYZ).encode() + b"comment\n1 2 3\n", "row 1: expected 3 numbers, got 'comment'"),
        (header("element vertex 1\n" + XYZ).encode() + b"1 2 3 4\n", "rows of 4 numbers for the 3 properties"),
        (
            header(
                f"element vertex 1\n{XYZ}element face 2\nproperty list uchar int i\n", "binary_little_endian"
            ).encode()
            + struct.pack("<3fB3i", 1, 2, 3, 3, 0, 1, 2),
            "2 rows of face, the file ends before",
        ),
    ],
)
def test_broken_files_are_one_line(tmp_path, content, message):
    (tmp_path / "a.ply").write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_cloud(tmp_path / "a.ply")
    assert str(caught.value).startswith(f"{tmp_path / 'a.ply'}: expected")
    assert "\n" not in str(caught.value)


def test_points_are_in_the_element_that_has_some():
    both = header(f"element vertex 0\n{XYZ}element point 1\n{XYZ}") + "1 2 3\n"
    assert parse_cloud(both.encode(), "a.ply").pos.tolist() == [[1, 2, 3]]
    names = header("element chunk 1\n" + XYZ + "element vertex 1\nproperty uint packed\n") + "1 2 3\n4\n"
    assert parse_cloud(names.encode(), "a.ply").pos.tolist() == [[1, 2, 3]]
