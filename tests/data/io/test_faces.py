"""The faces of a mesh go along to other kinds of mesh files, as other programs read them."""

import io
import struct

import numpy as np
import plyfile
import pytest

from tensorframes.data.io import Columns, read_cloud, table_of, unkept, write_cloud
from tensorframes.data.io.faces import Faces

POS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 0.5, 1]])
CORNERS = [[0, 1, 4], [1, 2, 4], [3, 2, 1, 0], [4, 0, 1, 2, 3]]

ROWS = "".join(f"{x:g} {y:g} {z:g}\n" for x, y, z in POS)
LISTS = "".join(f"{len(row)} {' '.join(map(str, row))}\n" for row in CORNERS)
XYZ = "element vertex 5\nproperty float x\nproperty float y\nproperty float z\n"
FACE = "element face 4\nproperty list uchar int vertex_indices\n"
EDGE = "element edge 1\nproperty int vertex1\nproperty list uchar int more\n"


def ply(order: str, elements: str) -> bytes:
    """A file with elements in this order: v, f and e."""
    text, names = {"v": ROWS, "f": LISTS, "e": "7 2 8 9\n"}, {"v": XYZ, "f": FACE, "e": EDGE}
    data = {
        "v": POS.astype(f"{order or '<'}f4").tobytes(),
        "f": b"".join(struct.pack(f"{order or '<'}B{len(row)}i", len(row), *row) for row in CORNERS),
        "e": struct.pack(f"{order or '<'}iB2i", 7, 2, 8, 9),
    }
    form = {"": "ascii", "<": "binary_little_endian", ">": "binary_big_endian"}[order]
    head = f"ply\nformat {form} 1.0\n{''.join(names[each] for each in elements)}end_header\n".encode()
    return head + b"".join(data[each] if order else text[each].encode() for each in elements)


def obj() -> str:
    """Vertices and faces in turn, corners counted from either end, with textures and normals."""
    vertices = "".join(f"v {row}\n" for row in ROWS.splitlines()[:3])
    return (
        f"{vertices}vt 0 0\nvn 0 0 1\nv 0 1 0\nv 0.5 0.5 1\nf 1 2/1 5//1 # first\nf -4/1/1 -3 \\\n-1\n"
        "f 4 3 2 1\nf 5 1 2 3 4\nv 9 9 9\n"
    )


@pytest.fixture(params=["off", "obj", *(f"ply{order}{places}" for order in ("", "<", ">") for places in ("vf", "efv"))])
def mesh(request, tmp_path) -> Columns:
    if request.param.startswith("ply"):
        order, places = request.param[3:4].strip("ve"), request.param.lstrip("ply<>")
        (tmp_path / "a.ply").write_bytes(ply(order, places))
        return read_cloud(tmp_path / "a.ply")
    content = obj() if request.param == "obj" else f"OFF\n5 4 0\n{ROWS}# faces\n{LISTS}"
    (tmp_path / f"a.{request.param}").write_text(content)
    return read_cloud(tmp_path / f"a.{request.param}")


@pytest.mark.parametrize("target", [".ply", ".obj", ".off"])
def test_every_kind_of_mesh_keeps_its_faces_in_every_other(tmp_path, mesh, target):
    unit = np.tile([[0.0, 0.6, -0.8]], (len(mesh.table), 1))
    write_cloud(tmp_path / f"b{target}", mesh.with_normals(unit))
    found = read_cloud(tmp_path / f"b{target}")
    assert found.faces is not None
    assert [[int(text) for text in row] for row in found.faces.texts()] == CORNERS
    np.testing.assert_array_equal(found.pos, mesh.pos)
    np.testing.assert_allclose(found.normal, unit, atol=1e-7)
    assert not {"faces", "lines f", "element face"} & {*unkept(f"b{target}", mesh)}
    assert {"faces", "lines f", "element face"} & {*unkept("b.xyz", mesh)}


def test_other_programs_read_them(tmp_path):
    (tmp_path / "a.off").write_text(f"OFF\n5 4 0\n{ROWS}{LISTS}")
    columns = read_cloud(tmp_path / "a.off").with_normals(np.tile([[0, 0, 1.0]], (5, 1)))
    write_cloud(tmp_path / "b.ply", columns)
    file = plyfile.PlyData.read(str(tmp_path / "b.ply"))
    assert [element.name for element in file.elements] == ["vertex", "face"]
    assert file["vertex"].data.dtype.names == ("x", "y", "z", "nx", "ny", "nz")
    assert [row.tolist() for row in file["face"]["vertex_indices"]] == CORNERS
    write_cloud(tmp_path / "b.obj", columns)
    assert "f 4//4 3//3 2//2 1//1" in (tmp_path / "b.obj").read_text().splitlines()
    trimesh = pytest.importorskip("trimesh")
    read = trimesh.load(io.BytesIO((tmp_path / "b.obj").read_bytes()), file_type="obj", process=False)
    assert len(read.faces) == 2 + 2 + 3  # trimesh cuts polygons into triangles


def test_triangles_of_an_stl_are_faces_of_its_distinct_corners(tmp_path):
    corners = POS[[[2, 0, 1], [1, 0, 3]]]
    text = "".join("vertex {} {} {}\n".format(*row) for row in corners.reshape(-1, 3))
    (tmp_path / "a.stl").write_text(f"solid a\n{text}endsolid a\n")
    columns = read_cloud(tmp_path / "a.stl")
    assert unkept("b.ply", columns) == ()
    assert unkept("b.xyz", columns) == ("triangles",)
    write_cloud(tmp_path / "b.ply", columns)
    found = read_cloud(tmp_path / "b.ply")
    assert found.faces is not None
    np.testing.assert_array_equal(found.pos[found.faces.corners].reshape(2, 3, 3), corners)


@pytest.mark.parametrize(
    ("name", "content", "left"),
    [
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 4\n", ("lines f",)),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 0 1 2\n", ("lines f",)),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf -1 -2 -4\n", ("lines f",)),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\ng part\nf 1 two 3\n", ("lines g", "lines f")),
        ("a.off", "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1\n", ("faces",)),
        ("a.off", "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 3\n", ("faces",)),
        ("a.off", "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2 255 0 0\n", ("colours of faces",)),
    ],
)
def test_what_is_lost_of_faces_is_named(tmp_path, caplog, name, content, left):
    (tmp_path / name).write_text(content)
    columns = read_cloud(tmp_path / name)
    assert unkept("b.ply", columns) == left
    write_cloud(tmp_path / "b.ply", columns)
    assert caplog.messages == [f"{tmp_path / 'b.ply'}: .ply can't keep {', '.join(left)}: left out"]
    assert (read_cloud(tmp_path / "b.ply").faces is None) == (left[-1] != "colours of faces")


def test_other_numbers_of_faces_are_named(tmp_path):
    head = XYZ + "element face 1\nproperty list uchar int vertex_index\nproperty uchar red\n"
    (tmp_path / "a.ply").write_text(f"ply\nformat ascii 1.0\n{head}end_header\n{ROWS}3 0 1 2 255\n")
    columns = read_cloud(tmp_path / "a.ply")
    assert unkept("b.ply", columns) == ()
    assert unkept("b.obj", columns) == ("red of faces",)
    assert unkept("b.npy", columns) == ("element face", "red of faces")


def test_lists_of_faces():
    kind, content = Faces.of([[0, 1, 2], [], [3]]).lists()
    assert (kind, content) == ("u1", struct.pack("<B3iBBi", 3, 0, 1, 2, 0, 1, 3))
    kind, content = Faces.of([[0, 1], list(range(256))]).lists()
    assert (kind, content) == ("i4", struct.pack("<3i257i", 2, 0, 1, 256, *range(256)))
    assert Faces.of([]).lists() == ("u1", b"")


def test_faces_are_those_of_all_points_or_none(tmp_path):
    (tmp_path / "a.off").write_text(f"OFF\n5 4 0\n{ROWS}{LISTS}")
    columns = read_cloud(tmp_path / "a.off")
    assert columns.faces is not None
    assert columns.without(("faces",)).faces is None
    assert Columns(table_of({"x": POS[:4, 0]}), mesh=columns.mesh).faces is None


def test_strips_of_triangles_are_no_polygons(tmp_path):
    strip = "element tristrips 1\nproperty list uchar int vertex_indices\n"
    (tmp_path / "a.ply").write_text(f"ply\nformat ascii 1.0\n{XYZ}{strip}end_header\n{ROWS}5 0 1 2 3 4\n")
    columns = read_cloud(tmp_path / "a.ply")
    assert columns.faces is None
    assert unkept("a.obj", columns) == ("element tristrips",)
