"""NPY and NPZ files: shapes, names and types are kept, nothing is ever pickled."""

import io
import warnings
import zipfile

import numpy as np
import pytest

from tensorframes.data.io import read_cloud, write_cloud
from tensorframes.data.io.columns import Columns, table_of
from tensorframes.errors import UserError


def saved(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names beyond Latin-1
        np.save(stream, values, allow_pickle=True)
    return stream.getvalue()


def archived(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def loaded(content: bytes) -> np.ndarray:
    return np.load(io.BytesIO(content), allow_pickle=False)


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", ">f4", "i2", "i8"])
def test_numbers_of_every_type(through, unit, kind):
    values = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 10]], dtype=kind)
    columns, written = through(saved(values), "a.npy")
    assert columns.table.dtype["x"] == np.dtype(kind)
    np.testing.assert_array_equal(loaded(written), np.c_[values, unit].astype(np.result_type(values, unit)))


def test_named_fields_keep_names_types_and_order(through, unit):
    rows = np.zeros(3, dtype=[("label", "<i8"), ("Z", ">f8"), ("X", "f4"), ("Y", "f2"), ("名", "U3")])
    rows["X"], rows["label"], rows["名"] = [1, 2, 3], 2**62 + np.arange(3), ["a", "b", "c"]
    columns, written = through(saved(rows), "a.npy")
    np.testing.assert_array_equal(columns.pos[:, 0], [1, 2, 3])
    assert loaded(written).dtype.descr == [*rows.dtype.descr, ("nx", "<f4"), ("ny", "<f4"), ("nz", "<f4")]
    np.testing.assert_array_equal(loaded(written)["label"], rows["label"])


def test_vectors_as_fields(through, pos, unit):
    rows = np.zeros(3, dtype=[("xyz", "f4", (3,)), ("normal", "i1", (3,)), ("rgb", "u1", (3,))])
    rows["xyz"] = pos
    columns, written = through(saved(rows), "a.npy")
    assert (columns.position, columns.normals) == (("xyz",), ("normal",))
    assert loaded(written).dtype == [("xyz", "f4", (3,)), ("normal", "f4", (3,)), ("rgb", "u1", (3,))]
    np.testing.assert_array_equal(loaded(written)["normal"], unit)


def test_organised_arrays_keep_their_shape(through, unit):
    values = np.arange(9.0).reshape(1, 3, 3)
    np.testing.assert_array_equal(loaded(through(saved(values), "a.npy")[1]), np.c_[values[0], unit][None])
    rows = np.zeros((3, 1), dtype=[("x", "f8"), ("y", "f8"), ("z", "f8")])
    assert loaded(through(saved(rows), "b.npy")[1]).shape == (3, 1)
    fortran = np.asfortranarray(np.arange(9.0).reshape(3, 3))
    assert np.isfortran(loaded(through(saved(fortran), "c.npy")[1]))


@pytest.mark.parametrize("count", [600, 4000])
def test_many_named_fields(through, pos, count):
    values = np.zeros(
        3, dtype=[(name, "<f4") for name in ("x", "y", "z", *(f"band {index}" for index in range(count)))]
    )
    for name, column in zip("xyz", pos.T, strict=True):
        values[name] = column
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.save(stream, values)
    columns, written = through(stream.getvalue(), "a.npy")
    assert len(columns.names) == count + 3
    assert len(np.load(io.BytesIO(written), max_header_size=10**6).dtype.names) == count + 6


def test_integers_that_no_float_holds_are_kept_by_name(through):
    values = np.array([[1, 2, 2**62 + 1], [1, 2, 5]], dtype="i8")
    assert loaded(through(saved(values), "a.npy")[1])["z"].tolist() == [2**62 + 1, 5]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((3, 1200)), r"expected one point a row, \(N, 3\), got shape \(3, 1200\).* transpose it"),
        (np.zeros((6, 50)), "transpose it"),
        (np.zeros((2, 2)), r"shape \(N, 3\) or \(N, 6\), got float64 \(2, 2\)"),
        (np.zeros(3), r"got float64 \(3,\)"),
        (np.array(3.0), r"got float64 \(\)"),
        (np.array([["a", "b", "c"]]), "expected numbers"),
        (np.zeros((4, 3), dtype=complex), "expected numbers"),
        (np.zeros((3, 20, 30)), "transpose it"),
        (np.zeros((2, 3, 64)), "transpose it"),
        (np.array([{"a": 1}], dtype=object), "Python objects, which are never loaded; save numbers"),
        (np.zeros((0, 3)), "expected points, got none"),
        (np.zeros(2, dtype=[("x", "f4"), ("y", "f4")]), "expected columns x, y, z, got x, y"),
        (np.zeros(2, dtype=[("x", "O"), ("y", "f4"), ("z", "f4")]), "Python objects, which"),
    ],
)
def test_wrong_arrays_are_refused(tmp_path, values, message):
    (tmp_path / "a.npy").write_bytes(saved(values))
    with pytest.raises(UserError, match=message) as caught:
        read_cloud(tmp_path / "a.npy")
    assert str(caught.value).startswith(f"{tmp_path / 'a.npy'}: expected")
    assert "\n" not in str(caught.value)


def test_archives_keep_their_other_members_byte_by_byte(through, unit):
    pickled = np.array([{"a": 1}], dtype=object)
    content = archived(
        Points=np.eye(3), label=np.int64(3), meta=pickled, Normals=np.zeros((3, 3), "i1"), ring=np.arange(3, dtype="u2")
    )
    columns, written = through(content, "a.npz")
    assert columns.names == ("x", "y", "z", "nx", "ny", "nz", "ring")
    assert columns.other_content == ("array label", "array meta")
    with np.load(io.BytesIO(written)) as archive:
        assert sorted(archive.files) == ["Normals", "Points", "label", "meta", "ring"]
        np.testing.assert_array_equal(archive["Normals"], unit)
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(io.BytesIO(written)) as after:
        for name in ("Points.npy", "label.npy", "meta.npy", "ring.npy"):
            assert after.read(name) == before.read(name)
            assert after.getinfo(name).compress_type == zipfile.ZIP_DEFLATED


def test_members_that_are_no_arrays_are_kept(through):
    stream = io.BytesIO(archived(pos=np.eye(3)))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("readme.txt", "by hand")
    columns, written = through(stream.getvalue(), "a.npz")
    assert columns.other_content == ("array readme.txt",)
    assert zipfile.ZipFile(io.BytesIO(written)).read("readme.txt") == b"by hand"


def test_archives_of_columns_and_of_one_array(through, unit):
    with np.load(io.BytesIO(through(archived(X=np.arange(3), Y=np.ones(3), Z=np.ones(3)), "a.npz")[1])) as archive:
        assert sorted(archive.files) == ["X", "Y", "Z", "nx", "ny", "nz"]
    with np.load(io.BytesIO(through(archived(arr_0=np.c_[np.ones((3, 3)), [7, 8, 9]]), "b.npz")[1])) as archive:
        np.testing.assert_array_equal(archive["arr_0"], np.c_[np.ones((3, 3)), [7, 8, 9]])
        np.testing.assert_array_equal(archive["normal"], unit)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archived(other=np.ones((3, 3)), more=np.ones(3)), "expected an array pos, points or xyz, got other, more"),
        (archived(pos=np.ones((3, 3)), normals=np.ones((2, 3))), r"normals of shape \(3, 3\), got float64 \(2, 3\)"),
        (archived(x=np.ones(3), y=np.ones(2), z=np.ones(3)), r"of one shape \(N,\) or .*, got x \(3,\), y \(2,\)"),
        (archived(pos=np.array([{}], dtype=object)), "array of numbers pos, got Python objects, which"),
        (archived(pos=np.ones((3, 40))), "transpose it"),
        (archived(pos=np.ones((3, 3)))[:60], "expected a whole NPZ file"),
        (b"PK\x03\x04 junk", "expected a whole NPZ file"),
        (b"junk", "got: a file of another kind"),
        (saved(np.ones((3, 3))), "expected an NPZ file, got an NPY file: rename it, or --from npy"),
    ],
)
def test_wrong_archives_are_refused(tmp_path, content, message):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_cloud(tmp_path / "a.npz")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_lists_are_left_out_and_named_never_pickled(tmp_path, caplog, pos, name):
    lists = np.empty(3, dtype=object)
    lists[:] = [np.arange(2), np.arange(3), np.arange(0)]
    write_cloud(tmp_path / name, Columns(table_of({"x": pos[:, 0], "y": pos[:, 1], "z": pos[:, 2], "near": lists})))
    assert caplog.messages == [f"{tmp_path / name}: {name[1:]} can't keep near: left out"]
    np.testing.assert_array_equal(read_cloud(tmp_path / name).pos, pos)
    assert b"pickle" not in (tmp_path / name).read_bytes()


def test_normals_that_the_place_would_not_tell_are_named(tmp_path, pos):
    up = np.tile([0, 0, 1], (3, 1))
    write_cloud(tmp_path / "a.npy", Columns(table_of(dict(zip("xyz", pos.T, strict=True)))).with_normals(up))
    np.testing.assert_array_equal(read_cloud(tmp_path / "a.npy").normal, up)


@pytest.mark.parametrize("behind", [0, 1])
def test_confidences_of_a_floor_are_not_taken_for_normals(tmp_path, pos, behind):
    floor = np.tile(np.float32([0.06, -0.08, 0.99499]), (3, 1))
    first = np.c_[pos, np.full((3, 1), 0.98), floor] if not behind else np.c_[pos, floor]
    np.save(tmp_path / "a.npy", first)
    for _ in range(3):  # a run on what the one before has written
        again = read_cloud(tmp_path / "a.npy").with_columns({"confidence": np.full(3, 0.98)})
        np.testing.assert_allclose(again.normal, floor, atol=1e-6)
        write_cloud(tmp_path / "a.npy", again.with_normals(floor))
        np.testing.assert_allclose(read_cloud(tmp_path / "a.npy").normal, floor, atol=1e-6)
