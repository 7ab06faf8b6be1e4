"""HDF5: which datasets are points, and that everything else is kept."""

import io

import numpy as np
import pytest

from tensorframes.data.io import read_cloud, write_cloud
from tensorframes.errors import UserError

h5py = pytest.importorskip("h5py")


def stored(**arrays: np.ndarray) -> bytes:
    """A file of datasets; `group__name` lies in a group."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.attrs["scanner"] = "A"
        for name, array in arrays.items():
            made = file.create_dataset(name.replace("__", "/"), data=array, compression="gzip")
            made.attrs["unit"] = "m"
    return stream.getvalue()


def loaded(content: bytes, name: str) -> tuple[np.ndarray, dict]:
    with h5py.File(io.BytesIO(content), "r") as file:
        return file[name][()], dict(file[name].attrs)


def test_points_with_normals_and_all_else(through, pos, unit):
    content = stored(points=pos, label=np.array([3, 1, 2], "u1"), normals=np.zeros((3, 3)), meta=np.arange(7))
    columns, written = through(content, "a.h5")
    np.testing.assert_array_equal(columns.pos, pos)
    assert columns.names == ("x", "y", "z", "nx", "ny", "nz", "label")
    assert columns.other_content == ("dataset /meta",)
    np.testing.assert_array_equal(loaded(written, "meta")[0], np.arange(7))
    np.testing.assert_array_equal(loaded(written, "normals")[0], unit)
    assert loaded(written, "normals")[1] == {"unit": "m"}
    with h5py.File(io.BytesIO(written), "r") as file:
        assert file.attrs["scanner"] == "A"


@pytest.mark.parametrize(
    ("names", "place"),
    [(("scan__xyz",), "scan/normal"), (("scan__data",), "scan/normal"), (("b__pos", "a__other"), "b/normal")],
)
def test_points_lie_in_a_group(through, pos, unit, names, place):
    content = stored(**dict.fromkeys(names, pos[:, :3]))
    columns, written = through(content, "a.hdf5")
    np.testing.assert_array_equal(columns.pos, pos)
    np.testing.assert_array_equal(loaded(written, place)[0], unit)


def test_axes_and_records(through, pos, unit):
    columns, written = through(stored(x=pos[:, 0], y=pos[:, 1], z=pos[:, 2], t=np.arange(3)), "a.h5")
    assert columns.names == ("x", "y", "z", "t")
    np.testing.assert_array_equal(loaded(written, "nx")[0], unit[:, 0])
    rows = np.zeros(
        3, dtype=[("x", "f8"), ("y", "f8"), ("z", "f8"), ("nx", "f4"), ("ny", "f4"), ("nz", "f4"), ("r", "u1")]
    )
    rows["x"], rows["y"], rows["z"] = pos.T
    _, written = through(stored(points=rows), "b.h5")
    assert loaded(written, "points")[0].dtype == rows.dtype
    np.testing.assert_array_equal(loaded(written, "points")[0]["nx"], unit[:, 0])


def test_enumerations_are_numbers_elsewhere(tmp_path, pos):
    with h5py.File(tmp_path / "a.h5", "w") as store:
        store["points"] = pos
        store["kind"] = np.array([0, 1, 0], h5py.enum_dtype({"ground": 0, "tree": 1}, "u1"))
    write_cloud(tmp_path / "b.npz", read_cloud(tmp_path / "a.h5"))  # without NumPy's warning
    assert read_cloud(tmp_path / "b.npz").table["kind"].tolist() == [0, 1, 0]
    write_cloud(tmp_path / "c.h5", read_cloud(tmp_path / "a.h5").with_normals(pos))
    with h5py.File(tmp_path / "c.h5") as store:
        assert h5py.check_enum_dtype(store["kind"].dtype) == {"ground": 0, "tree": 1}


def test_a_dataset_is_named_behind_the_file(tmp_path, pos, caplog):
    (tmp_path / "a.h5").write_bytes(stored(points=pos, scans__second=2 * pos))
    write_cloud(tmp_path / "b.h5", read_cloud(f"{tmp_path}/a.h5:scans/second").with_normals(pos))
    assert caplog.text == ""  # all else is kept
    np.testing.assert_array_equal(loaded((tmp_path / "b.h5").read_bytes(), "points")[0], pos)
    np.testing.assert_array_equal(read_cloud(tmp_path / "a.h5").pos, pos)
    np.testing.assert_array_equal(read_cloud(f"{tmp_path}/a.h5:scans/second").pos, 2 * pos)
    with pytest.raises(UserError, match="expected a dataset /scans/third in the file, got none"):
        read_cloud(f"{tmp_path}/a.h5:scans/third")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"data": np.random.default_rng(0).normal(size=(4, 50, 3)), "label": np.zeros((4, 1))},
            r"in /data, got \(4, 50, 3\): a batch of clouds; save one",
        ),
        ({"a": np.zeros((5, 3)), "b": np.zeros((5, 3))}, r"FILE\.h5:NAME, got /a \(5, 3\), /b \(5, 3\)"),
        ({"points": np.zeros((5, 2))}, r"expected numbers of shape \(N, 3\)"),
        ({"label": np.zeros(5)}, "expected a dataset points, xyz or pos, or FILE.h5:NAME, got /label"),
    ],
)
def test_what_is_no_cloud_is_refused(tmp_path, arrays, message):
    (tmp_path / "a.h5").write_bytes(stored(**arrays))
    with pytest.raises(UserError, match=message):
        read_cloud(tmp_path / "a.h5")


def test_without_h5py_the_extra_is_named(tmp_path, pos, monkeypatch):
    (tmp_path / "a.h5").write_bytes(stored(points=pos))
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(UserError, match=r"expected h5py for HDF5 files, got none; pip install 'tensorframes\[hdf5\]'"):
        read_cloud(tmp_path / "a.h5")
