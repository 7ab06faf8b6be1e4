"""OBJ, OFF and STL: their vertices; faces and all else are kept, as other programs read it."""

import io

import numpy as np
import pytest

from tensorframes.data.io import expect_target, read_cloud, write_cloud
from tensorframes.errors import UserError

OBJ = """# a comment
mtllib a.mtl
v 0.5 1.5 2.5 # the first
v 1 2 3
o part
v -4 5 6.25
vt 0 0
usemtl red
f 1 2/1 3//3
f -3/1/7 -2 \\
-1 # quads 4
l 1 2
"""

OFF = "# made by hand\n{}\n0.5 1.5 2.5 {}\n1 2 3 {} # second\n-4 5 6.25 {}\n3 0 1 2\n"


def test_an_obj_keeps_its_lines_and_its_faces_refer_to_the_normals(through, pos):
    columns, written = through(OBJ, "a.obj")
    np.testing.assert_array_equal(columns.pos, pos)
    assert columns.names == ("x", "y", "z")
    assert columns.other_content == ("lines mtllib", "lines o", "lines vt", "lines usemtl", "lines f", "lines l")
    assert written.decode().splitlines() == [
        "# a comment", "mtllib a.mtl", "v 0.5 1.5 2.5 # the first", "vn 0 0 -1", "v 1 2 3", "vn 0.6 0.8 0", "o part",
        "v -4 5 6.25", "vn 1 0 0", "vt 0 0", "usemtl red", "f 1//1 2/1/2 3//3",
        "f -3/1/-3 -2//-2  -1//-1 # quads 4", "l 1 2",
    ]  # fmt: skip


def test_normals_of_an_obj_replace_those_of_its_corners_or_of_its_vertices(through, unit):
    corners = "v 0 0 1\nv 1 0 1\nv 0 1 1\nvn 0 0 1\nf 1//1 2//1 3//1\n"
    columns, written = through(corners, "a.obj")
    assert columns.normals == ()
    assert written.decode() == "v 0 0 1\nvn 0 0 -1\nv 1 0 1\nvn 0.6 0.8 0\nv 0 1 1\nvn 1 0 0\nf 1//1 2//2 3//3\n"
    columns, again = through(written, "b.obj", "c.obj")
    np.testing.assert_array_equal(columns.normal.astype(np.float32), unit)
    assert again == written
    by_place = "v 0 0 1\nv 1 0 1\nv 0 1 1\nvn 0 0 1\nvn 0 0 1\nvn 0 0 1\nf 1//1 2//1 3//3\n"
    assert through(by_place, "d.obj")[0].normals == ()


def test_colours_of_an_obj_are_columns(through):
    columns, written = through("v 0 0 1 0.5 0 1\nv 1 0 1 0 0 0\nv 0 1 1 1 1 1\n", "a.obj")
    assert columns.names == ("x", "y", "z", "red", "green", "blue")
    assert written.decode().splitlines()[0] == "v 0 0 1 0.5 0 1"
    columns, _ = through("v 0 0 1 1\nv 1 0 1 1\nv 0 1 1 1\n", "b.obj")
    assert columns.names == ("x", "y", "z", "w")
    assert through("v 0 0 1 1\nv 1 0 1\nv 0 1 1\n", "c.obj")[0].names == ("x", "y", "z")


def test_an_off_becomes_a_noff(through, pos):
    columns, written = through(OFF.format("OFF\n3 1 0", "", "", ""), "a.off")
    np.testing.assert_array_equal(columns.pos, pos)
    assert columns.other_content == ("faces",)
    assert written.decode().splitlines() == [
        "# made by hand", "NOFF", "3 1 0",
        "0.5 1.5 2.5 0 0 -1", "1 2 3 0.6 0.8 0 # second", "-4 5 6.25 1 0 0", "3 0 1 2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("head", "behind", "names", "line"),
    [
        ("OFF3 1 0", "", (), "NOFF 3 1 0"),
        ("NOFF\n3 1 0", "0 1 0", ("nx", "ny", "nz"), "NOFF"),
        ("COFF\n3 1", "255 0 0 9", ("red", "green", "blue", "alpha"), "CNOFF"),
        ("OFF\n3 1", "255 0 0", ("red", "green", "blue"), "NOFF"),
        ("STCNOFF\n3 1", "1 0 0 5 6 7 0.5 1", ("nx", "ny", "nz", "red", "green", "blue", "s", "t"), "STCNOFF"),
    ],
)
def test_kinds_of_off(through, head, behind, names, line):
    columns, written = through(OFF.format(head, *[behind] * 3), "a.off")
    assert columns.names == ("x", "y", "z", *names)
    lines = written.decode().splitlines()
    assert lines[1].startswith(line)
    tail = behind.split()[3:] if "nx" in names else behind.split()
    assert " ".join(["-4 5 6.25 1 0 0", *tail]) in lines


@pytest.mark.parametrize(
    ("fields", "colour", "normal"),
    [
        (["255 0 7 255 0 0 0"] * 3, [255, 0, 7], [0, 0, 0]),  # a cloud of MeshLab, without normals
        (["0 0 0 255 0 6.25 -0.5", "0 0 9 255 1 0 0", "0 0 0 255 0 0 0"], [0, 0, 0], [0, 6.25, -0.5]),
        (["255 0 7 0 0 -1"] * 3, [255, 0, 7], [0, 0, -1]),
        (["0 0 1 255 0 7 255"] * 3, [255, 0, 7], [0, 0, 1]),  # in the order of the manual
        (["0 0 1 0 0 0"] * 3, [0, 0, 0], [0, 0, 1]),
        (["0 0 -2 255 0 7"] * 3, [255, 0, 7], [0, 0, -2]),
    ],
)
def test_colours_before_the_normals_of_an_off_are_kept(through, fields, colour, normal):
    columns, written = through(OFF.format("NCOFF\n3 1", *fields), "a.off")
    assert [columns.table[name][0] for name in ("red", "green", "blue")] == colour
    np.testing.assert_array_equal(columns.normal[0], normal)
    alpha = ["255"] if len(fields[0].split()) == 7 else []
    lines = written.decode().splitlines()
    assert lines[1] == "NCOFF"
    assert " ".join(["0.5 1.5 2.5 0 0 -1", *map(str, colour), *alpha]) in lines


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.obj", "f 1 2 3\n", r"expected vertices \(lines v x y z\), got none"),
        ("a.obj", "v 1 2 3\nv 1 2 x\n", r"expected at least three numbers in a line, got 'v 1 2 x'"),
        ("a.obj", "v 1 2\n", r"got 'v 1 2'"),
        ("a.off", "1 2 3\n", "expected an OFF file of text, got '1 2 3'"),
        ("a.off", "OFF BINARY\n1 2 3\n", "expected an OFF file of text"),
        ("a.off", "4OFF\n1 2 3\n", "expected an OFF file of text"),
        ("a.off", "OFF\n", "expected the numbers of vertices and faces, got none"),
        ("a.off", "OFF\nx y z\n", "expected the numbers of vertices and faces, got x y z"),
        ("a.off", "OFF\n0 0 0\n", "expected points, got none"),
        ("a.off", "OFF\n1 0 0\na b c\n", "expected numbers of a vertex, got 'a b c'"),
        ("a.off", "OFF\n2 0 0\n1 2 3\n1 2\n", "expected as many numbers for each vertex, got 2 to 3"),
        ("a.off", "OFF\n3 1 0\n1 2 3\n", "expected 4 lines of vertices and faces, got 1"),
        ("a.off", "NOFF\n1 0 0\n1 2 3\n", "vertices of 3 numbers, fewer than the header says"),
        ("a.stl", "solid a\nfacet\nvertex 0 0 0\n", "text that ends before endsolid"),
        ("a.stl", "solid a\nvertex 0 0 0\nendsolid\n", "1 corner, no multiple of three"),
        ("a.stl", "solid a\nvertex 0 0 1e\nendsolid\n", "a corner at '0 0 1e'"),
        ("a.stl", "solid a\nvertex 0 0 -\nendsolid\n", "a corner at '0 0 -'"),
        ("a.stl", f"solid a\nvertex 0 0 {'1' * 45}x\nendsolid\n", r"a corner at '0 0 1{33}\.\.\.'"),
        ("a.stl", "solid a\nvertex 0 0 \u0661\nendsolid\n", "a corner at '0 0 \ufffd\ufffd'"),
        ("a.stl", "solid".ljust(80) + "\2\0\0\0" + "cut off", "2 triangles declared, and 7 bytes of them"),
        ("a.stl", "x" * 200, "triangles declared"),
        ("a.stl", "x", "1 byte, fewer than a header has"),
    ],
)
def test_wrong_meshes_are_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message) as error:
        read_cloud(tmp_path / name)
    assert str(error.value).startswith(str(tmp_path / name))


def stl(corners: np.ndarray, start: bytes = b"solid of a scanner") -> bytes:
    """A binary file of triangles (T, 3, 3)."""
    rows = np.zeros(len(corners), dtype=[("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    rows["corners"] = corners
    return start.ljust(80, b"\0") + len(corners).to_bytes(4, "little") + rows.tobytes()


def test_corners_of_an_stl_are_one_point_where_they_are_equal(tmp_path, pos):
    corners = pos[[[1, 0, 2], [2, 0, 1]]]
    text = "solid a\n" + "".join("  vertex {} {} {}\n".format(*row) for row in corners.reshape(-1, 3)) + "endsolid a\n"
    marked = text.encode("utf-8-sig"), stl(corners, b"\xef\xbb\xbfsolid")
    for content in (stl(corners), stl(corners, b"anything"), stl(corners) + b"more", text.encode(), *marked):
        (tmp_path / "a.stl").write_bytes(content)
        columns = read_cloud(tmp_path / "a.stl")
        np.testing.assert_array_equal(columns.pos, pos[[1, 0, 2]])
        assert columns.other_content == ("triangles",)


def test_an_stl_is_no_target(tmp_path, pos):
    (tmp_path / "a.stl").write_bytes(stl(pos[None]))
    with pytest.raises(UserError, match=r"b\.stl: an STL file has no place for normals of points; choose \.ply"):
        expect_target(tmp_path / "b.stl")
    with pytest.raises(UserError, match="no place for normals"):
        write_cloud(tmp_path / "b.stl", read_cloud(tmp_path / "a.stl"))


def test_trimesh_reads_what_is_written(through, unit, pos):
    trimesh = pytest.importorskip("trimesh")
    obj = "v 0.5 1.5 2.5\nv 1 2 3\nv -4 5 6.25\nf 1 2 3\n"
    for content, name in ((obj, "a.obj"), (OFF.format("OFF\n3 1 0", "", "", ""), "a.off")):
        written = through(content, name)[1]
        mesh = trimesh.load(io.BytesIO(written), file_type=name[-3:], process=False, maintain_order=True)
        np.testing.assert_array_equal(mesh.vertices, pos)
        np.testing.assert_array_equal(mesh.faces, [[0, 1, 2]])
        if name == "a.obj":
            np.testing.assert_allclose(mesh.vertex_normals, unit, atol=1e-7)


def test_an_stl_with_the_line_ends_of_old_macs_or_with_solid_in_a_binary_header(tmp_path):
    text = "solid a\rfacet normal 0 0 1\rvertex 0 0 0\rvertex 1 0 0\rvertex 0 1 0\rendfacet\rendsolid a\r"
    (tmp_path / "a.stl").write_text(text)
    assert len(read_cloud(tmp_path / "a.stl").pos) == 3
    (tmp_path / "a.stl").write_bytes(b"solid a".ljust(80) + b"\xff\xff\xff\xff" + b"\0" * 50)
    with pytest.raises(UserError, match="got: 4,294,967,295 triangles declared, and 50 bytes of them"):
        read_cloud(tmp_path / "a.stl")
