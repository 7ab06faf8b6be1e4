"""E57 files: scans, poses, fields in the types that the file declares, normals."""

import sys

import numpy as np
import pytest

from tensorframes.data.io import read_cloud, write_cloud
from tensorframes.errors import UserError

EXTENSION = ("nor", "http://www.libe57.org/E57_NOR_surface_normals.txt")
"""Prefix and address of libE57's normals."""

HALF = np.sqrt(0.5)


def save(path, *scans, turned=False):
    """Write scans, for each field its numbers (N,) and how it is declared: f4, f8, scaled, or a range of integers.

    If turned, all have a pose: a rotation by 90 degrees about z, then a translation by 7 along x.
    """
    pye57 = pytest.importorskip("pye57")
    lib = pye57.libe57
    with pye57.E57(str(path), mode="w") as file:
        image = file.image_file
        image.extensionsAdd(*EXTENSION)
        kinds = {
            "f4": lambda: lib.FloatNode(image, 0.0, lib.FloatPrecision.E57_SINGLE),
            "f8": lambda: lib.FloatNode(image),
            "scaled": lambda: lib.ScaledIntegerNode(image, 0, -(10**6), 10**6, 0.25, 0.0),
        }
        for scan in scans:
            node, declared = lib.StructureNode(image), lib.StructureNode(image)
            for name, (_, kind) in scan.items():
                declared.set(name, kinds[kind]() if isinstance(kind, str) else lib.IntegerNode(image, kind[0], *kind))
            points = lib.CompressedVectorNode(image, declared, lib.VectorNode(image, True))
            node.set("guid", lib.StringNode(image, "a scan"))
            node.set("points", points)
            if turned:
                node.set("pose", pose := lib.StructureNode(image))
                for part, numbers in {
                    "rotation": {"w": HALF, "x": 0, "y": 0, "z": HALF},
                    "translation": {"x": 7, "y": 0, "z": 0},
                }.items():
                    pose.set(part, place := lib.StructureNode(image))
                    for axis, number in numbers.items():
                        place.set(axis, lib.FloatNode(image, number))
            file.data3d.append(node)
            arrays = {
                name: np.array(values, "f8" if isinstance(kind, str) else "q", order="C")
                for name, (values, kind) in scan.items()
            }
            count, buffers = len(next(iter(arrays.values()))), lib.VectorSourceDestBuffer()
            for name, array in arrays.items():
                buffers.append(lib.SourceDestBuffer(image, name, array, max(count, 1), True, True))
            writer = points.writer(buffers)
            writer.write(count)
            writer.close()


def positions(pos, kind="scaled"):
    """The fields of points (N, 3)."""
    return {f"cartesian{axis}": (values, kind) for axis, values in zip("XYZ", pos.T, strict=True)}


@pytest.fixture
def e57(tmp_path, pos):
    """A file of two scans, the second turned by 90 degrees about z and moved, with a point marked as invalid."""
    pye57 = pytest.importorskip("pye57")
    fields = dict(zip(("cartesianX", "cartesianY", "cartesianZ"), pos.T.copy(), strict=True))
    with pye57.E57(str(tmp_path / "a.e57"), mode="w") as file:
        colours = {f"color{name}": np.array([1, 2, 3], "u1") for name in ("Red", "Green", "Blue")}
        file.write_scan_raw({**fields, "intensity": np.array([1, 2, 3], "f4"), **colours})
        fields["cartesianInvalidState"] = np.array([0, 1, 0], "i1")
        file.write_scan_raw(
            {**fields, "intensity": np.array([4, 5, 6], "f4")},
            rotation=np.array([HALF, 0, 0, HALF]),
            translation=np.array([1e6, 0, 0]),
        )
    return tmp_path / "a.e57"


def test_scans_of_an_e57_are_one_cloud(e57, pos):
    columns = read_cloud(e57)
    turned = np.stack([1e6 - pos[:, 1], pos[:, 0], pos[:, 2]], axis=1)
    turned[1] = np.nan
    np.testing.assert_allclose(columns.pos, np.concatenate([pos, turned]), rtol=0, atol=1e-9)
    assert columns.names == ("x", "y", "z", "intensity", "scan")
    assert columns.other_content == ("poses", *(f"{name} of some scans" for name in ("red", "green", "blue")))
    np.testing.assert_array_equal(columns.table["intensity"], [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(columns.table["scan"], [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(columns.sensor, [[0, 0, 0]] * 3 + [[1e6, 0, 0]] * 3)


def test_one_place_of_all_scans_goes_into_a_pcd(tmp_path, e57, pos):
    pye57 = pytest.importorskip("pye57")
    fields = dict(zip(("cartesianX", "cartesianY", "cartesianZ"), pos.T.copy(), strict=True))
    with pye57.E57(str(tmp_path / "b.e57"), mode="w") as file:
        for _ in range(2):
            file.write_scan_raw(fields, rotation=np.array([1.0, 0, 0, 0]), translation=np.array([0.1, 2, -1e6]))
    columns = read_cloud(tmp_path / "b.e57")
    np.testing.assert_array_equal(columns.sensor, [0.1, 2, -1e6])
    write_cloud(tmp_path / "b.pcd", columns)
    np.testing.assert_array_equal(read_cloud(tmp_path / "b.pcd").sensor, [0.1, 2, -1e6])
    write_cloud(tmp_path / "a.pcd", read_cloud(e57))  # of several places there is room for none
    np.testing.assert_array_equal(read_cloud(tmp_path / "a.pcd").sensor, [0, 0, 0])


def test_images_are_named_where_there_are_some(tmp_path, pos):
    pye57 = pytest.importorskip("pye57")
    fields = dict(zip(("cartesianX", "cartesianY", "cartesianZ"), pos.T.copy(), strict=True))
    with pye57.E57(str(tmp_path / "a.e57"), mode="w") as file:
        file.write_scan_raw(fields)
        image = pye57.libe57.StructureNode(file.image_file)
        image.set("guid", pye57.libe57.StringNode(file.image_file, "an image"))
        file.root["images2D"].append(image)
    assert read_cloud(tmp_path / "a.e57").other_content == ("poses", "images")


def test_other_content_is_no_e57(tmp_path, e57):
    for content, message in ((b"other", "a file of another kind"), (e57.read_bytes()[:300], "expected a whole E57")):
        (tmp_path / "b.e57").write_bytes(content)
        with pytest.raises(UserError, match=message) as caught:
            read_cloud(tmp_path / "b.e57")
        assert "****" not in str(caught.value)


def test_spherical_coordinates(tmp_path):
    fields = {
        "sphericalRange": [1, 2, 3],
        "sphericalAzimuth": [0, np.pi / 2, 1],
        "sphericalElevation": [np.pi / 2, 0, 1],
    }
    save(
        tmp_path / "a.e57",
        {**{name: (values, "f8") for name, values in fields.items()}, "sphericalInvalidState": ([0, 0, 2], (0, 2))},
    )
    columns = read_cloud(tmp_path / "a.e57")
    np.testing.assert_allclose(columns.pos, [[0, 0, 1], [0, 2, 0], [np.nan] * 3], atol=1e-15)
    assert columns.names == ("x", "y", "z")
    assert columns.sensor is None  # the scan has no pose


@pytest.mark.parametrize(
    ("field", "values", "kind", "name", "dtype"),
    [
        ("colorRed", [0, 1, 255], (0, 255), "red", "u1"),
        ("colorGreen", [0, 1, 65535], (0, 65535), "green", "u2"),  # pye57 reads bytes alone
        ("colorBlue", [0, 0.25, 1], "f4", "blue", "f4"),
        ("intensity", [0, 1, 65535], (0, 65535), "intensity", "u2"),
        ("intensity", [0.1, 0.2, 0.3], "f8", "intensity", "f8"),
        ("rowIndex", [0, 1, 70000], (0, 70000), "row", "u4"),
        ("columnIndex", [-1, 0, 1], (-1, 1), "column", "i1"),
        ("timeStamp", [1e9, 1e9 + 1e-3, 1e9 + 1], "f8", "timeStamp", "f8"),
        ("returnIndex", [0, 1, 2], (-(2**63), 2**63 - 1), "returnIndex", "i8"),
        ("sphericalRange", [1, 2, 3], "scaled", None, None),  # beside Cartesian coordinates
    ],
)
def test_fields_have_the_types_that_the_file_declares(tmp_path, pos, field, values, kind, name, dtype):
    save(tmp_path / "a.e57", {**positions(pos), field: (values, kind)})
    columns = read_cloud(tmp_path / "a.e57")
    np.testing.assert_array_equal(columns.pos, pos)
    assert columns.names == ("x", "y", "z", *([name] if name else []))
    assert columns.other_content == ()
    if name:
        assert columns.table.dtype[name] == dtype
        np.testing.assert_array_equal(columns.table[name], np.array(values, dtype))


def test_normals_of_an_e57_are_turned_with_their_scan(tmp_path, pos):
    fields = {f"nor:normal{axis}": (values, "f4") for axis, values in zip("XYZ", np.eye(3)[[0, 2, 1]].T, strict=True)}
    save(tmp_path / "a.e57", {**positions(pos), **fields}, turned=True)
    columns = read_cloud(tmp_path / "a.e57")
    assert columns.names == ("x", "y", "z", "nx", "ny", "nz")
    assert columns.other_content == ("poses",)
    np.testing.assert_allclose(columns.pos, np.stack([7 - pos[:, 1], pos[:, 0], pos[:, 2]], axis=1), atol=1e-12)
    np.testing.assert_allclose(columns.normal, [[0, 1, 0], [0, 0, 1], [-1, 0, 0]], atol=1e-7)


def test_a_scan_without_points_is_one_of_none(tmp_path, pos):
    empty = positions(np.empty((0, 3)))
    save(tmp_path / "a.e57", positions(pos), empty, positions(pos))
    columns = read_cloud(tmp_path / "a.e57")
    np.testing.assert_array_equal(columns.pos, np.concatenate([pos, pos]))
    np.testing.assert_array_equal(columns.table["scan"], [0, 0, 0, 2, 2, 2])
    save(tmp_path / "a.e57", empty)
    with pytest.raises(UserError, match="expected points, got none"):
        read_cloud(tmp_path / "a.e57")


def test_without_pye57_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pye57", None)
    (tmp_path / "a.e57").write_bytes(b"ASTM-E57")
    with pytest.raises(UserError, match=r"expected pye57 for E57 files, got none; pip install 'tensorframes\[e57\]'"):
        read_cloud(tmp_path / "a.e57")
