"""What holds for all kinds of files: names of columns, targets, damage."""

import os
import stat
from pathlib import Path

import numpy as np
import pytest

from tensorframes.atomic import replacing
from tensorframes.data.io import (
    FORMATS,
    TARGETS,
    expect_target,
    read_cloud,
    unkept,
    write_cloud,
)
from tensorframes.data.io.axes import NORMALS, POSITIONS, find_triple, key_of, unique
from tensorframes.data.io.columns import Columns, table_of
from tensorframes.errors import UserError


def cloud(count: int = 40) -> Columns:
    rng = np.random.default_rng(0)
    pos, normal = rng.normal(size=(2, count, 3)).astype(np.float32)
    columns = Columns(table_of({"x": pos[:, 0], "y": pos[:, 1], "z": pos[:, 2], "ring": np.arange(count, dtype="i4")}))
    return columns.with_normals(normal / np.linalg.norm(normal, axis=1, keepdims=True))


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("X,Y,Z", "X,Y,Z"), ("z,y,x", "x,y,z"), ("x [m],y [m],z [m]", "x [m],y [m],z [m]"),
        ("X_mm,Y_mm,Z_mm", "X_mm,Y_mm,Z_mm"), ("x(ft),y(ft),z(ft)", "x(ft),y(ft),z(ft)"),
        ("Points:0,Points:1,Points:2", "Points:0,Points:1,Points:2"),
        ("t,p_x [m],p_y [m],p_z [m]", "p_x [m],p_y [m],p_z [m]"),
        ("pos_x,pos_y,pos_z", "pos_x,pos_y,pos_z"),
        ("Easting,Northing,Height", "Easting,Northing,Height"), ("X,Y,Elevation", "X,Y,Elevation"),
        ("X,Y,Z,x,y,z", "x,y,z"), ("nx,ny,nz", None), ("x,y", None), ("lon,lat,h", None),
    ],
)  # fmt: skip
def test_positions_by_name(names, found):
    assert find_triple(names.split(","), POSITIONS) == (None if found is None else tuple(found.split(",")))


@pytest.mark.parametrize("names", ["nx,ny,nz", "Nx,Ny,Nz", "NormalX,NormalY,NormalZ", "normal_x,normal_y,normal_z"])
def test_normals_by_name(names):
    assert find_triple(names.split(","), NORMALS) == tuple(names.split(","))


def test_keys_and_unique_names():
    assert [key_of(name) for name in ("X [m]", "Normal-X", " x_coordinate ", "Points:0")] == [
        "x", "normalx", "xcoordinate", "points0",
    ]  # fmt: skip
    assert unique(["", "x", "x", "x_2", ""]) == ("index", "x", "x_3", "x_2", "index_2")


@pytest.mark.parametrize("source", TARGETS)
@pytest.mark.parametrize("target", TARGETS)
def test_every_kind_becomes_every_other(tmp_path, source, target):
    write_cloud(tmp_path / f"a{source}", cloud())
    first = read_cloud(tmp_path / f"a{source}")
    write_cloud(tmp_path / f"b{target}", first)
    second = read_cloud(tmp_path / f"b{target}")
    np.testing.assert_allclose(second.pos, cloud().pos, rtol=0, atol=1e-7)
    np.testing.assert_allclose(second.normal, cloud().normal, rtol=0, atol=1e-7)
    if not {".pts", ".obj", ".off"} & {source, target}:  # these have no names for other numbers
        np.testing.assert_array_equal(second.table["ring"], np.arange(40))


def refusal(source: Path, target: Path) -> str:
    """What is said of a file on the way to another one; nothing if that goes well."""
    try:
        write_cloud(target, read_cloud(source))
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("suffix", TARGETS)
def test_damage_is_one_line_that_names_the_file(tmp_path, capfd, suffix):
    file, out = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    write_cloud(file, cloud())
    whole, rng = file.read_bytes(), np.random.default_rng(0)
    refused = 0
    for attempt in range(60):
        content = bytearray(whole)
        if attempt % 3 == 0:
            content = content[: rng.integers(len(content))]
        elif attempt % 3 == 1:
            content[rng.integers(min(len(content), 400))] = rng.integers(256)
        else:
            content = bytearray(rng.bytes(200))
        file.write_bytes(content)
        said = refusal(file, out)
        refused += bool(said)
        assert not said or said.startswith((str(file), str(out)))
        assert "\n" not in said
        assert len(said) < len(str(file)) + 300
    assert refused >= 20
    assert capfd.readouterr() == ("", "")


def test_missing_files_folders_and_unknown_endings(tmp_path):
    for path, message in {
        tmp_path / "no.ply": "No such file",
        tmp_path / "no.doc": "No such file",
        tmp_path: "Is a directory",
        tmp_path / "\0.ply": "expected a readable file",
    }.items():
        with pytest.raises(UserError, match=message):
            read_cloud(path)
    (tmp_path / "c.doc").write_text("1 2 3")
    with pytest.raises(UserError, match=r"expected a file of type \.ply.*, or --from KIND, got \.doc"):
        read_cloud(tmp_path / "c.doc")
    with pytest.raises(UserError, match=r"expected a file of type \.ply.*, \.bin, got \.doc"):
        read_cloud(tmp_path / "c.doc", ".doc")
    with pytest.raises(UserError, match=r"expected a file of type \.ply.*, or --to KIND, got none"):
        expect_target(tmp_path / "c")


def test_targets_are_checked_before_the_work(tmp_path):
    (tmp_path / "folder.ply").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop.ply").symlink_to("loop.ply")
    for name, message in {
        "a.doc": r"expected a file of type .*got \.doc",
        "none/a.ply": r"expected a folder .*none, got none",
        "file/a.ply": r"expected a folder .*file, got none",
        "folder.ply": "expected a file to write, got a folder",
        "\0.ply": "can't be written",
        "loop.ply": "can't be written",
        f"{'x' * 300}.ply": "can't be written",
    }.items():
        with pytest.raises(UserError, match=message):
            expect_target(tmp_path / name)
        with pytest.raises(UserError):
            write_cloud(tmp_path / name, cloud())
    expect_target(tmp_path / "new.ply")
    expect_target("/dev/null")


@pytest.mark.skipif(os.geteuid() == 0, reason="an administrator may write anywhere")
def test_what_must_not_be_written_is_told(tmp_path):
    (tmp_path / "a.ply").touch()
    (tmp_path / "a.ply").chmod(0o444)
    with pytest.raises(UserError, match="it is read-only"):
        expect_target(tmp_path / "a.ply")
    (tmp_path / "a.ply").chmod(0o644)
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(UserError, match="can't be written safely: its folder"):
            expect_target(tmp_path / "a.ply")
    finally:
        tmp_path.chmod(0o755)


@pytest.mark.parametrize("suffix", TARGETS)
def test_what_breaks_while_it_is_written_leaves_the_old_file(tmp_path, monkeypatch, suffix):
    file = tmp_path / f"a{suffix}"
    write_cloud(file, cloud())
    before = file.read_bytes()
    found = next(each for each in FORMATS if suffix in each.suffixes)
    write = type(found).write

    def breaks(self, stream, columns, ending):
        write(self, stream, columns, ending)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(found), "write", breaks)
    with pytest.raises(UserError, match="can't be written: No space left on device"):
        write_cloud(file, cloud(10))
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_devices_get_the_format_the_columns_came_from(tmp_path):
    write_cloud(tmp_path / "a.ply", cloud())
    write_cloud("/dev/null", read_cloud(tmp_path / "a.ply"))
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with pytest.raises(UserError, match="expected a file of type"):
        write_cloud("/dev/null", cloud())


def test_positions_that_no_type_holds_are_refused_by_name(tmp_path):
    values = np.array([2**62 + 1, 0])
    columns = Columns(table_of({"x": values, "y": values, "z": values}))
    with pytest.raises(UserError, match=r"a\.ply: PLY can't hold x \(int64\), y \(int64\), z \(int64\) without loss"):
        unkept(tmp_path / "a.ply", columns)
    with pytest.raises(UserError, match="without loss"):
        write_cloud(tmp_path / "a.ply", columns)
    write_cloud(tmp_path / "a.npy", columns)
    assert read_cloud(tmp_path / "a.npy").table["x"][0] == 2**62 + 1


def test_normals_replace_or_follow_and_are_floats():
    columns = cloud()
    bare = columns.without(("nx", "ny", "nz"))
    assert bare.names == ("x", "y", "z", "ring")
    assert bare.normal is None
    whole = bare.with_columns({name: np.zeros(40, "i1") for name in ("NX", "NY", "NZ")})
    again = whole.with_normals(columns.normal)
    assert again.names == ("x", "y", "z", "ring", "NX", "NY", "NZ")
    assert again.table.dtype["NX"] == np.float32
    np.testing.assert_array_equal(again.normal, columns.normal)
    double = bare.with_columns({name: np.zeros(40) for name in ("nx", "ny", "nz")}).with_normals(columns.normal)
    assert double.table.dtype["nx"] == np.float64


def test_replaced_columns_widen_rather_than_round():
    columns = cloud().with_columns({"ring": np.arange(40) + 0.5})
    assert columns.table.dtype["ring"] == np.float64
    assert cloud().with_columns({"ring": np.arange(40)}).table.dtype["ring"] == np.int32


def test_replacing_a_file_that_a_reader_has_open_leaves_it_whole(tmp_path):
    write_cloud(tmp_path / "a.xyz", cloud())
    with (tmp_path / "a.xyz").open() as reader, replacing(tmp_path / "a.xyz") as file:
        file.write(b"new")
        assert len(reader.readlines()) == 41


def test_a_suffix_may_be_named_for_files_with_others(tmp_path):
    write_cloud(tmp_path / "a.dat", cloud(), ".ply")
    np.testing.assert_array_equal(read_cloud(tmp_path / "a.dat", ".ply").pos, cloud().pos)
    with pytest.raises(UserError, match=r"expected a file of type \.ply.*got \.dat"):
        read_cloud(tmp_path / "a.dat")
    with pytest.raises(UserError, match=r"a\.dat: expected a PCD file, got a PLY file: --from ply$"):
        read_cloud(tmp_path / "a.dat", ".pcd")
