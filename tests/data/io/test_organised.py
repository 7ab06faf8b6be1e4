"""Organised clouds, whose rows and columns every format keeps that has them, and arrays that are other things."""

import io
import itertools

import numpy as np
import pytest

from tensorframes.data.io import encode_cloud, parse_cloud, read_cloud, write_cloud
from tensorframes.data.io.columns import Columns, table_of
from tensorframes.data.io.shape import CLOUD, is_batch
from tensorframes.errors import UserError

ORGANISED = (".pcd", ".npy", ".npz", ".h5", ".hdf5")
RNG = np.random.default_rng(0)


def image(rows: int = 20, columns: int = 30) -> np.ndarray:
    """(rows, columns, 3) float32 points as a depth camera sees a bump on a plane."""
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    return np.stack([x, y, 4 + np.exp(-4 * (x**2 + y**2))], axis=-1).astype(np.float32)


def sweep(rings: int = 16, steps: int = 900) -> np.ndarray:
    """(rings, steps, 3) points of a room as a LiDAR writes them that fires its rings out of order."""
    order = np.argsort(np.arange(rings) % -(-rings // 2), kind="stable")
    rise = np.radians(np.linspace(-15, 15, rings)[order]).reshape(-1, 1)
    turn = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    ray = np.stack(np.broadcast_arrays(np.cos(rise) * np.cos(turn), np.cos(rise) * np.sin(turn), np.sin(rise)), -1)
    return ray / (np.abs(ray) / [8, 5, 1.5]).max(-1, keepdims=True)


def grid(step: float, height: np.ndarray) -> np.ndarray:
    """(rows, columns, 3) points on a grid of this step, of these heights (rows, columns)."""
    y, x = np.meshgrid(*(step * np.arange(count) for count in height.shape), indexing="ij")
    return np.stack([x, y, height], -1)


def saved(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def stored(suffix: str, **arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    if suffix == ".npz":
        np.savez(stream, **arrays)
        return stream.getvalue()
    h5py = pytest.importorskip("h5py")
    with h5py.File(stream, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return stream.getvalue()


def loaded(suffix: str, content: bytes) -> list[tuple[str, np.ndarray]]:
    if suffix == ".npz":
        return list(np.load(io.BytesIO(content)).items())
    with pytest.importorskip("h5py").File(io.BytesIO(content), "r") as file:
        return [(name, values[()]) for name, values in file.items()]


@pytest.mark.parametrize(("source", "target"), itertools.product(ORGANISED, ORGANISED))
def test_rows_and_columns_are_kept(source: str, target: str, caplog: pytest.LogCaptureFixture) -> None:
    first = parse_cloud(saved(image()), "a.npy")
    columns = parse_cloud(encode_cloud(first, f"b{source}"), f"b{source}")
    unit = (-columns.pos / np.linalg.norm(columns.pos, axis=1, keepdims=True)).astype(np.float32)
    again = parse_cloud(encode_cloud(columns.with_normals(unit), f"c{target}"), f"c{target}")
    assert first.shape == columns.shape == again.shape == (20, 30)
    np.testing.assert_array_equal(again.pos, image().reshape(-1, 3))
    np.testing.assert_array_equal(again.normal, unit)
    assert caplog.text == ""


def test_rows_and_columns_are_those_of_the_file() -> None:
    columns = parse_cloud(saved(image()), "a.npy")
    assert b"\nWIDTH 30\nHEIGHT 20\n" in encode_cloud(columns, "b.pcd")
    organised = parse_cloud(encode_cloud(columns, "b.pcd"), "b.pcd")
    np.testing.assert_array_equal(np.load(io.BytesIO(encode_cloud(organised, "c.npy"))), image())
    rgb = organised.with_columns({"red": np.arange(600)})
    assert np.load(io.BytesIO(encode_cloud(rgb, "c.npy"))).shape == (20, 30)


def test_a_lost_shape_is_named(tmp_path, caplog) -> None:
    columns = parse_cloud(saved(image()), "a.npy")
    write_cloud(tmp_path / "b.ply", columns)
    assert caplog.messages == [f"{tmp_path / 'b.ply'}: .ply can't keep shape 20 x 30: left out"]
    assert columns.without(("shape 20 x 30",)).shape == ()
    write_cloud(tmp_path / "c.pcd", Columns(columns.table[:7], shape=columns.shape))  # others are not there
    assert read_cloud(tmp_path / "c.pcd").shape == ()
    for flat in (saved(image()[:1]), saved(image()[:, :1]), saved(image().reshape(-1, 3))):
        write_cloud(tmp_path / "d.ply", parse_cloud(flat, "a.npy"))
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
@pytest.mark.parametrize("shape", [(20, 30), (600,)])
def test_other_arrays_of_an_organised_cloud(suffix: str, shape: tuple[int, ...], unit: np.ndarray) -> None:
    normals = np.resize(unit, (600, 3))
    arrays = {"label": np.arange(600).reshape(shape), "normals": normals.reshape(*shape, 3), "other": np.arange(30)}
    columns = parse_cloud(stored(suffix, points=image(), **arrays), f"a{suffix}")
    assert columns.names == ("x", "y", "z", "nx", "ny", "nz", "label")
    np.testing.assert_array_equal(columns.normal, normals)
    np.testing.assert_array_equal(columns.table["label"], np.arange(600))
    assert [name.lstrip("/") for name in columns.other_content] in (["array other"], ["dataset /other"])
    again = parse_cloud(encode_cloud(columns.with_normals(-normals), f"b{suffix}"), f"b{suffix}")
    assert again.shape == (20, 30)
    np.testing.assert_array_equal(again.normal, -normals)


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
@pytest.mark.parametrize("shape", [(20, 30), (600,)])
def test_arrays_of_an_organised_cloud_keep_their_shapes(suffix: str, shape: tuple[int, ...], unit: np.ndarray) -> None:
    arrays = {"normals": np.resize(unit, (*shape, 3)), "label": np.zeros(shape)}
    columns = parse_cloud(stored(suffix, points=image(), **arrays), f"a{suffix}")
    changed = columns.with_normals(-columns.normal).with_columns({"label": np.arange(600)})
    new = changed.with_columns({"red": np.arange(600)})
    written = {name: np.asarray(values).shape for name, values in loaded(suffix, encode_cloud(new, f"b{suffix}"))}
    assert written == {"points": (20, 30, 3), "normals": (*shape, 3), "label": shape, "red": (20, 30)}


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
@pytest.mark.parametrize("shape", [(20, 30), (600, 1), (1, 600)])
def test_an_array_for_each_coordinate_of_an_organised_cloud(suffix: str, shape: tuple[int, int], unit) -> None:
    axes = {name: values.reshape(shape) for name, values in zip("xyz", np.moveaxis(image(), -1, 0), strict=True)}
    columns = parse_cloud(stored(suffix, **axes, label=np.arange(600).reshape(shape)), f"a{suffix}")
    assert columns.shape == (shape if min(shape) > 1 else ())
    np.testing.assert_array_equal(columns.pos, image().reshape(-1, 3))
    normals = np.resize(unit, (600, 3)).astype(np.float32)
    written = dict(loaded(suffix, encode_cloud(columns.with_normals(normals), f"b{suffix}")))
    assert {name: values.shape for name, values in written.items()} == dict.fromkeys(
        ("x", "y", "z", "label", "nx", "ny", "nz"), shape
    )
    np.testing.assert_array_equal(written["x"], axes["x"])
    np.testing.assert_array_equal(np.stack([written[f"n{axis}"] for axis in "xyz"], -1).reshape(-1, 3), normals)


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_an_array_for_each_coordinate_of_other_shapes_is_refused(suffix: str) -> None:
    x, y, z = np.moveaxis(RNG.normal(size=(40, 50, 3)), -1, 0)
    with pytest.raises(UserError, match=r"organised cloud in x, y, z, got \(40, 50, 3\): a batch of clouds"):
        parse_cloud(stored(suffix, x=x, y=y, z=z), f"a{suffix}")
    expected = r"expected x, y, z of one shape \(N,\) or \(rows, columns\), got x \(50,\), y \(40,\), z \(40, 50\)"
    with pytest.raises(UserError, match=expected):
        parse_cloud(stored(suffix, x=x[0], y=y[:, 0], z=z), f"a{suffix}")


def test_records_of_an_organised_cloud() -> None:
    names = ("x", "y", "z", "nx", "ny", "nz")
    rows = table_of(dict(zip(names, np.tile(image().reshape(-1, 3), 2).T, strict=True)))
    h5py = pytest.importorskip("h5py")
    columns = parse_cloud(stored(".h5", points=rows.reshape(20, 30)), "a.h5")
    written = encode_cloud(columns.with_normals(-columns.pos), "b.h5")
    with h5py.File(io.BytesIO(written), "r") as file:
        np.testing.assert_array_equal(file["points"]["nx"], -image()[..., 0])


SPARSE = image(480, 640) * (RNG.random((480, 640, 1)) < 0.3)


@pytest.mark.parametrize(
    "values",
    [
        image(200, 200), sweep(), sweep().swapaxes(0, 1), sweep(2), SPARSE, np.where(SPARSE, SPARSE, np.nan),
        image(4, 300) + RNG.normal(size=(4, 300, 3)) * 0.05, np.zeros((3, 600, 3)), RNG.normal(size=(20, 30, 3)),
        RNG.normal(size=(1, 600, 3)),
    ],
    ids=["camera", "rings", "columns", "two rings", "missing", "NaN", "noise", "zeros", "few", "one row"],
)  # fmt: skip
def test_organised_clouds_are_no_batches(values: np.ndarray) -> None:
    assert len(parse_cloud(saved(values), "a.npy").table) == values[..., 0].size


@pytest.mark.parametrize("void", [(-1, -1, -1), (0, 0, 10), (1e10, 1e10, 1e10), (0, 0, 0), (np.nan, np.nan, np.nan)])
def test_missing_returns_of_any_code_are_left_out(void: tuple[float, ...]) -> None:
    depth, half = image(240, 320), np.arange(240 * 320) % 2 == 0
    missing = (
        RNG.random((240, 320)) < 0.75,
        np.arange(240).reshape(-1, 1) < 192,
        RNG.permutation(half).reshape(240, 320),
    )
    for where in missing:
        assert not is_batch(np.where(np.broadcast_to(where, (240, 320))[..., None], void, depth))


@pytest.mark.parametrize(
    "values",
    [
        grid(1e-5, 500 + RNG.normal(size=(100, 120)) * 0.05) + [8, 47, 0], grid(0.05, RNG.random((100, 120)) * 20),
        image(120, 160) * [0.5, 0.5, 1] + RNG.normal(size=(120, 160, 1)) * [0, 0, 0.5],
        *(np.tile(sweep(rings), (1, 2, 1)) for rings in (4, 7)), np.tile(sweep(32), (1, 2, 1)).swapaxes(0, 1),
        np.tile(sweep(4), (1, 3, 1)), np.tile(sweep(4), (1, 6, 1)),
    ],
    ids=["degrees", "canopy", "narrow", "4 rings", "7 rings", "columns", "3 turns", "6 turns"],
)  # fmt: skip
def test_one_coordinate_in_order_makes_one_cloud(values: np.ndarray) -> None:
    assert not is_batch(values)


@pytest.mark.parametrize("apart", [0, 1, 100])
@pytest.mark.parametrize("shape", [(2, 300), (8, 100), (40, 50), (100, 100)])
def test_random_clouds_are_a_batch(shape: tuple[int, int], apart: float) -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(*shape, 3)) + apart * rng.normal(size=(shape[0], 1, 3))
    assert is_batch(values)
    assert is_batch(values * [1, 1, 0])


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5"])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (RNG.normal(size=(2, 300, 3)), r"got \(2, 300, 3\): a batch of clouds; .*; if it is one cloud, reshape"),
        (RNG.normal(size=(40, CLOUD, 6)), "a batch of clouds"),
        (RNG.random(size=(9, 300, 3)) + 50 * np.arange(9).reshape(-1, 1, 1) ** 2 % 7, "a batch of clouds"),
        (np.ones((48, 64), "f4"), r"expected \(N, 3\) or \(rows, columns, 3\).*, got an array of shape \(48, 64\)"),
        (np.ones((48, 33), "u2"), "got an array of shape"),
        (np.ones((2, 20, 30, 3)), r"got an array of shape \(2, 20, 30, 3\)"),
    ],
)
def test_what_is_no_cloud_is_refused_alike(suffix: str, values: np.ndarray, message: str) -> None:
    content = saved(values) if suffix == ".npy" else stored(suffix, points=values)
    with pytest.raises(UserError, match=message):
        parse_cloud(content, f"a{suffix}")


def test_as_many_columns_as_clouds_have() -> None:
    assert len(parse_cloud(saved(RNG.normal(size=(48, 32))), "a.npy").names) == 32


def test_a_header_that_contradicts_itself_is_refused() -> None:
    head = b"FIELDS x y z\nWIDTH 30\nHEIGHT 21\nPOINTS 600\nDATA ascii\n" + b"1 2 3\n" * 630
    with pytest.raises(UserError, match="WIDTH 30 and HEIGHT 21, 630 points, but POINTS 600"):
        parse_cloud(head, "a.pcd")
    assert parse_cloud(head.replace(b"HEIGHT 21", b"HEIGHT 20"), "a.pcd").shape == (20, 30)
    assert parse_cloud(head.replace(b"WIDTH 30\nHEIGHT 21\n", b""), "a.pcd").shape == ()


@pytest.mark.parametrize("shape", [b"WIDTH 2\nHEIGHT 0\n", b"WIDTH 0\nHEIGHT 0\n", b"WIDTH 0\nHEIGHT 1\n"])
def test_a_shape_of_no_points_is_not_stated(shape: bytes) -> None:
    columns = parse_cloud(b"FIELDS x y z\n" + shape + b"POINTS 2\nDATA ascii\n1 2 3\n4 5 6\n", "a.pcd")
    assert columns.shape == ()
    np.testing.assert_array_equal(columns.pos, [[1, 2, 3], [4, 5, 6]])
