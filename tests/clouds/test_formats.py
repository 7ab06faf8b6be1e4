"""Point files of every kind: what is read, what is kept, and the one line on what can't be read."""

import importlib.util
import struct

import numpy as np
import plyfile
import pytest

from tensorframes.clouds import read_cloud, write_cloud
from tensorframes.errors import UserError

POS = np.array([[0.1, 0.2, 0.3], [1, 2, 3], [-1e-7, 4, 5e8]])
UNIT = np.eye(3)[[2, 0, 1]]


@pytest.mark.parametrize(
    "text",
    [
        "0.1 0.2 0.3\n1 2 3\n-1e-7 4 5e8\n",
        "0.1 0.2 0.3\r\n1 2 3\r\n-1e-7 4 5e8\r\n\r\n",
        "0.1,0.2,0.3\n1, 2,3\n-1e-7,4,5e8",
        "\n  0.1\t0.2 0.3  \n\n1 2 3 # the second\n-1e-7 4 5e8\n",
        "x,y,z\n0.1,0.2,0.3\n1,2,3\n-1e-7,4,5e8\n",
        "// scanned\n//X Y Z\n0.1 0.2 0.3\n1 2 3\n-1e-7 4 5e8\n",
        "3\n0.1 0.2 0.3\n1 2 3\n-1e-7 4 5e8\n",
        "\ufeff0.1 0.2 0.3\n1 2 3\n-1e-7 4 5e8\n",
    ],
    ids=["spaces", "windows", "commas", "untidy", "names", "comments", "count", "byte order mark"],
)
def test_text_is_read(tmp_path, text):
    file = tmp_path / "a.xyz"
    file.write_bytes(text.encode())
    np.testing.assert_array_equal(read_cloud(file).pos, POS)
    assert read_cloud(file).normal is None


def test_utf16_of_windows_is_read(tmp_path):
    (tmp_path / "a.txt").write_bytes("1 2 3\r\n".encode("utf-16"))
    np.testing.assert_array_equal(read_cloud(tmp_path / "a.txt").pos, [[1, 2, 3]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.xyz: expected points, got an empty file"),
        (b" \r\n\n", "empty file"),
        (b"# only a comment\n", "expected rows of numbers, got none"),
        (b"1 2 3\n4 5\n", "a.xyz, line 2: expected 3 columns as above, got 2"),
        (b"# x\n\n1 2 3\n\n4 5 6 7\n", "a.xyz, line 5: expected 3 columns as above, got 4"),
        (b"1 2 3\n4 five 6\n", "a.xyz, line 2: expected numbers, got 'five'"),
        (b"1,2,3\n4,,6\n", "a.xyz, line 2: expected numbers, got ''"),
        (b"1 2\n3 4\n", r"at least 3 columns \(x y z\), got 2"),
        (b'{"a": 1}\n', "a.xyz, line 1: expected numbers"),
        (b"\x00\x01\x02\x89PNG", "expected text, got a binary file"),
        (b"\xff\x89\x13 \x99\n", "a.xyz, line 1: expected numbers"),
    ],
)
def test_what_is_wrong_with_text_is_named(tmp_path, content, message):
    file = tmp_path / "a.xyz"
    file.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_cloud(file)
    assert "\n" not in str(caught.value)


def test_missing_files_folders_and_unknown_endings(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        read_cloud(tmp_path / "no.ply")
    (tmp_path / "b.xyz").mkdir()
    with pytest.raises(UserError, match="Is a directory"):
        read_cloud(tmp_path / "b.xyz")
    with pytest.raises(UserError, match=r"expected a file of type \.ply.*got \.las"):
        read_cloud(tmp_path / "c.las")
    with pytest.raises(UserError, match="can't be written"):
        write_cloud(tmp_path / "nowhere" / "a.xyz", _columns(tmp_path))


def test_columns_four_to_six_are_normals_only_where_of_unit_length(tmp_path):
    np.savetxt(tmp_path / "n.txt", np.c_[POS, UNIT])
    np.savetxt(tmp_path / "c.txt", np.c_[POS, UNIT * 255])
    np.testing.assert_array_equal(read_cloud(tmp_path / "n.txt").normal, UNIT)
    assert read_cloud(tmp_path / "c.txt").normal is None


def test_normals_are_added_to_text_and_the_rest_is_kept(tmp_path):
    file = tmp_path / "scan.txt"
    file.write_text("# by me\n# x y z intensity\n0.1 0.2 0.3 7\n1 2 3 8.25\n")
    write_cloud(file, read_cloud(file).with_normals(UNIT[:2]))
    assert file.read_text() == "# by me\n# x y z intensity nx ny nz\n0.1 0.2 0.3 7 0 0 1\n1 2 3 8.25 1 0 0\n"
    again = read_cloud(file)
    np.testing.assert_array_equal(again.normal, UNIT[:2])
    np.testing.assert_array_equal(again.table["intensity"], [7, 8.25])


def test_text_without_names_gets_them_only_where_they_are_needed(tmp_path):
    for name, rows in (("plain", POS), ("coloured", np.c_[POS, np.full((3, 3), 200)])):
        file = tmp_path / f"{name}.csv"
        np.savetxt(file, rows, delimiter=",")
        write_cloud(file, read_cloud(file).with_normals(UNIT))
        np.testing.assert_array_equal(read_cloud(file).normal, UNIT)
    assert "#" not in (tmp_path / "plain.csv").read_text()
    assert (tmp_path / "coloured.csv").read_text().startswith("# x,y,z,c4,c5,c6,nx,ny,nz\n")


@pytest.mark.filterwarnings("ignore:loadtxt")
@pytest.mark.parametrize(("text", "order"), [(True, "="), (False, "<")])
def test_normals_are_added_to_a_ply_and_the_rest_is_kept(tmp_path, text, order):
    vertex = np.array(
        [(1.5, 2, 3, 255, np.array([1, 2], "i4")), (4, 5, 6, 7, np.array([], "i4"))],
        dtype=[("x", "f8"), ("y", "f8"), ("z", "f8"), ("red", "u1"), ("near", object)],
    )
    face = np.array([([0, 1, 0],)], dtype=[("vertex_indices", "i4", (3,))])
    kinds = {"len_types": {"near": "u1"}, "val_types": {"near": "i4"}}
    elements = [
        plyfile.PlyElement.describe(vertex, "vertex", **kinds),
        plyfile.PlyElement.describe(face, "face"),
    ]
    file = tmp_path / "a.ply"
    plyfile.PlyData(elements, text=text, byte_order=order, comments=["scanned by me"]).write(str(file))
    write_cloud(file, read_cloud(file).with_normals(UNIT[:2]))
    ply = plyfile.PlyData.read(str(file))
    assert (ply.text, ply.comments) == (text, ["scanned by me"])
    np.testing.assert_array_equal(ply["vertex"]["x"], [1.5, 4])
    assert [p.name for p in ply["vertex"].properties] == ["x", "y", "z", "red", "near", "nx", "ny", "nz"]
    assert ply["vertex"].data.dtype["x"].kind + str(ply["vertex"].data.dtype["x"].itemsize) == "f8"
    assert [list(near) for near in ply["vertex"]["near"]] == [[1, 2], []]
    np.testing.assert_array_equal(ply["vertex"]["red"], [255, 7])
    np.testing.assert_array_equal(ply["face"]["vertex_indices"][0], [0, 1, 0])
    np.testing.assert_array_equal(read_cloud(file).normal, UNIT[:2])


def test_big_endian_ply_with_lists_comes_out_readable(tmp_path):
    head = "ply\nformat binary_big_endian 1.0\nelement vertex 1\n"
    head += "".join(f"property float {name}\n" for name in "xyz") + "property list uchar int near\nend_header\n"
    file = tmp_path / "a.ply"
    file.write_bytes(head.encode() + struct.pack(">fffBi", 1, 2, 3, 1, 7))
    write_cloud(file, read_cloud(file).with_normals(UNIT[:1]))
    np.testing.assert_array_equal(read_cloud(file).pos, [[1, 2, 3]])
    np.testing.assert_array_equal(read_cloud(file).normal, UNIT[:1])
    assert list(read_cloud(file).table["near"][0]) == [7]


@pytest.mark.parametrize("order", ["<", ">"])
def test_byte_order_of_plain_ply_is_kept(tmp_path, order):
    vertex = np.array([(1, 2, 3)], dtype=[("x", "f4"), ("y", "f4"), ("z", "f4")])
    file = tmp_path / "a.ply"
    plyfile.PlyData([plyfile.PlyElement.describe(vertex, "vertex")], byte_order=order).write(str(file))
    write_cloud(file, read_cloud(file).with_normals(UNIT[:1]))
    assert plyfile.PlyData.read(str(file)).byte_order == order
    np.testing.assert_array_equal(read_cloud(file).pos, [[1, 2, 3]])
    np.testing.assert_array_equal(read_cloud(file).normal, UNIT[:1])


@pytest.mark.parametrize(
    "content",
    [b"junk", b"ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nend_header\n1\n", b"ply\n\xff\xfe\x00"],
    ids=["junk", "too short", "binary"],
)
def test_broken_ply_is_one_line(tmp_path, content):
    (tmp_path / "a.ply").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.ply: expected a PLY file") as caught:
        read_cloud(tmp_path / "a.ply")
    assert "\n" not in str(caught.value)


def test_ply_without_positions_or_points(tmp_path):
    head = "ply\nformat ascii 1.0\nelement {}\nproperty float x\nend_header\n"
    for element, message in (("vertex 1", "got no y, z"), ("point 1", "element vertex")):
        (tmp_path / "a.ply").write_text(head.format(element) + "1\n")
        with pytest.raises(UserError, match=message):
            read_cloud(tmp_path / "a.ply")


def _columns(folder):
    np.save(folder / "base.npy", POS.astype(np.float32))
    return read_cloud(folder / "base.npy").with_normals(UNIT)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.ply", "a.xyz"])
def test_every_format_gives_back_what_was_written(tmp_path, name):
    write_cloud(tmp_path / name, _columns(tmp_path))
    again = read_cloud(tmp_path / name)
    np.testing.assert_array_equal(again.pos, POS.astype(np.float32))
    np.testing.assert_array_equal(again.normal, UNIT)


def test_npz_keeps_its_other_arrays(tmp_path):
    np.savez(tmp_path / "a.npz", Points=POS, label=np.int64(3))
    write_cloud(tmp_path / "a.npz", read_cloud(tmp_path / "a.npz").with_normals(UNIT))
    with np.load(tmp_path / "a.npz") as archive:
        assert sorted(archive.files) == ["Points", "label", "normal"]
        np.testing.assert_array_equal(archive["Points"], POS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 2)), r"shape \(N, 3\) or \(N, 6\), got float64 \(2, 2\)"),
        (np.zeros(3), r"got float64 \(3,\)"),
        (np.array([["a", "b", "c"]]), "expected numbers"),
        (np.array([{"a": 1}], dtype=object), "expected an array of numbers"),
        (np.zeros((0, 3)), "expected points, got none"),
    ],
)
def test_wrong_arrays_are_refused(tmp_path, values, message):
    np.save(tmp_path / "a.npy", values, allow_pickle=True)
    with pytest.raises(UserError, match=message):
        read_cloud(tmp_path / "a.npy")


def test_wrong_archives_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", other=POS)
    with pytest.raises(UserError, match="expected an array pos, points or xyz, got other"):
        read_cloud(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", pos=POS, normals=UNIT[:2])
    with pytest.raises(UserError, match=r"normals of shape \(3, 3\), got \(2, 3\)"):
        read_cloud(tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 junk")
    with pytest.raises(UserError, match=r"a\.npz: expected"):
        read_cloud(tmp_path / "a.npz")


def test_pcd_goes_through_open3d_or_says_what_is_missing(tmp_path):
    file = tmp_path / "a.pcd"
    file.write_text(
        "VERSION 0.7\nFIELDS x y z intensity\nSIZE 4 4 4 4\nTYPE F F F F\nCOUNT 1 1 1 1\nWIDTH 2\nHEIGHT 1\n"
        "VIEWPOINT 0 0 0 1 0 0 0\nPOINTS 2\nDATA ascii\n1 2 3 9\n4 5 6 8\n"
    )
    if importlib.util.find_spec("open3d") is None:
        with pytest.raises(UserError, match="open3d"):
            read_cloud(file)
        return
    write_cloud(file, read_cloud(file).with_normals(UNIT[:2]))
    again = read_cloud(file)
    np.testing.assert_array_equal(again.pos, [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(again.normal, UNIT[:2])
    np.testing.assert_array_equal(again.table["intensity"], [9, 8])
