"""Clouds of other libraries and tensors as points, and rows without a normal."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.lib.recfunctions import repack_fields

from tensorframes.errors import UserError
from tensorframes.normals import estimate_normals, normals_and_confidence, orient_normals
from tensorframes.normals.missing import missing
from tensorframes.normals.points import as_array, of_type


def reasons(pos: np.ndarray, normals: np.ndarray) -> dict[str, int]:
    """Those that points have for having no normal."""
    return {reason: count for reason, count in missing(pos, normals).items() if count}


def sphere(count: int = 200) -> np.ndarray:
    pos = np.random.default_rng(0).normal(size=(count, 3))
    return pos / np.linalg.norm(pos, axis=1, keepdims=True)


class Elsewhere:
    """A tensor of another library, on a device."""

    def cpu(self) -> torch.Tensor:
        return torch.from_numpy(sphere())


@pytest.mark.parametrize(
    "cloud",
    [
        SimpleNamespace(points=sphere().tolist()),
        SimpleNamespace(vertices=sphere()),
        SimpleNamespace(point=SimpleNamespace(positions=Elsewhere())),
        torch.from_numpy(sphere()).requires_grad_(),
        torch._neg_view(torch.from_numpy(-sphere())),
        sphere().tolist(),
    ],
    ids=["points", "vertices", "point.positions", "tensor", "negated", "list"],
)
def test_clouds_are_recognised_by_their_attributes(cloud: object) -> None:
    np.testing.assert_array_equal(as_array(cloud), sphere())


@pytest.mark.open3d
def test_clouds_of_open3d(open3d) -> None:
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(sphere()))
    np.testing.assert_array_equal(as_array(cloud), sphere())
    tensors = open3d.t.geometry.PointCloud(open3d.core.Tensor(sphere()))
    np.testing.assert_array_equal(as_array(tensors), sphere())
    np.testing.assert_array_equal(as_array(tensors.point.positions), sphere())
    assert as_array(open3d.t.geometry.PointCloud()).shape == (0, 3)
    normals = estimate_normals(cloud, "fast", "cpu")
    assert (np.sign((orient_normals(cloud, normals) * sphere()).sum(1)) == 1).all()


def nullable(values: np.ndarray) -> np.ndarray:
    """What pandas makes of a table of nullable columns, the third row of which is missing."""
    objects = values.astype(object)
    objects[2] = type("NAType", (), {})()
    return objects


def test_tables_of_nullable_columns() -> None:
    pos, normals = nullable(sphere()), estimate_normals(sphere(), "fast", "cpu")
    missing_row = np.arange(200) == 2
    np.testing.assert_array_equal(np.isnan(as_array(pos)).all(1), missing_row)
    np.testing.assert_array_equal(as_array(pos)[~missing_row], sphere()[~missing_row])
    np.testing.assert_array_equal(~estimate_normals(pos, "fast", "cpu").any(1), missing_row)
    assert (orient_normals(sphere(), nullable(normals))[~missing_row] * sphere()[~missing_row]).sum(1).min() > 0
    np.testing.assert_array_equal(as_array([[1, None, 3.5]]), [[1, np.nan, 3.5]])


@pytest.mark.parametrize("odd", [True, "1", 1j, np.datetime64("2024-01-01")])
def test_objects_that_are_no_numbers_are_refused(odd: object) -> None:
    pos = sphere().astype(object)
    pos[5, 0] = odd
    with pytest.raises(ValueError, match=r"expected points \(N, 3\) of numbers, got shape \(200, 3\) of object"):
        estimate_normals(pos, "fast", "cpu")


def test_clouds_of_trimesh() -> None:
    trimesh = pytest.importorskip("trimesh")
    cloud = trimesh.PointCloud(sphere())
    np.testing.assert_array_equal(as_array(cloud), sphere())
    normals = estimate_normals(cloud, "fast", "cpu")
    assert isinstance(normals, np.ndarray)
    assert np.median(np.abs((normals * sphere()).sum(1))) > 0.99


def test_a_las_file_of_laspy() -> None:
    laspy = pytest.importorskip("laspy")
    data = laspy.create(point_format=6, file_version="1.4")
    data.header.scales = np.full(3, 1e-9)
    data.x, data.y, data.z = sphere().T
    np.testing.assert_allclose(as_array(data), sphere(), rtol=0, atol=1e-9)
    assert estimate_normals(data, "fast", "cpu").shape == (200, 3)
    with pytest.raises(ValueError, match=r"^expected an array, got ScaleAwarePointRecord that makes none: "):
        estimate_normals(data.points, "fast", "cpu")


def test_rows_of_named_fields() -> None:
    rows = np.zeros(200, dtype=[("label", "U2"), ("X", "<f8"), ("Y", ">f8"), ("Z", "<f4")])
    rows["X"], rows["Y"], rows["Z"] = sphere().T
    np.testing.assert_array_equal(as_array(rows)[:, :2], sphere()[:, :2])
    plyfile = pytest.importorskip("plyfile")
    element = plyfile.PlyElement.describe(repack_fields(rows[["X", "Y", "Z"]]), "vertex")
    np.testing.assert_array_equal(as_array(element), as_array(rows))
    with pytest.raises(ValueError, match=r"expected points \(N, 3\) of numbers, got shape \(200,\) of"):
        estimate_normals(rows[["X", "Y"]], "fast", "cpu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.int32])
def test_tensors_return_as_they_came(dtype: torch.dtype) -> None:
    points = torch.from_numpy(100 * sphere()).to(dtype)
    normals = estimate_normals(points, "fast", "cpu")
    assert isinstance(normals, torch.Tensor)
    assert normals.dtype == (dtype if dtype.is_floating_point else torch.float32)
    assert not normals.requires_grad
    oriented = orient_normals(points, normals)
    assert oriented.dtype == normals.dtype
    assert ((oriented.double() * points.double()).sum(1) > 0).all()


@pytest.mark.filterwarnings("ignore")  # torch's, of such tensors
@pytest.mark.parametrize(
    ("made", "got"),
    [
        (lambda values: values.to_sparse(), "torch.sparse_coo of torch.float32 on cpu"),
        (lambda values: values.long().to_sparse_csr(), "torch.sparse_csr of torch.int64 on cpu"),
        (lambda values: values.to("meta"), "torch.strided of torch.float32 on meta"),
        (lambda values: torch.quantize_per_tensor(values, 0.1, 0, torch.qint8), "torch.strided of torch.qint8 on cpu"),
        (lambda values: torch.nested.nested_tensor([values]), "a nested tensor"),
    ],
)
def test_tensors_without_numbers_of_their_own_are_refused(made: Callable, got: str) -> None:
    tensor = made(torch.zeros(200, 3))
    with pytest.raises(ValueError, match=f"^expected a dense tensor of numbers, got {got}$"):
        estimate_normals(tensor, "fast", "cpu")
    with pytest.raises(ValueError, match=f"^expected a dense tensor of numbers, got {got}$"):
        orient_normals(sphere(), tensor)


def test_values_go_to_the_device_of_the_points() -> None:
    points = torch.empty(200, 3, device="meta", dtype=torch.float64)
    values = of_type(np.zeros((200, 3), dtype=np.float32), points)
    assert isinstance(values, torch.Tensor)
    assert (values.device.type, values.dtype) == ("meta", torch.float64)


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("size", [1.0, 1e-3, 1e3])
def test_georeferenced_clouds_in_any_unit(offset: float, size: float) -> None:
    normals = estimate_normals(size * (40 * sphere() + offset), "fast", "cpu")
    assert np.median(np.abs((normals * sphere()).sum(1))) > 0.99
    assert (np.abs(np.linalg.norm(normals, axis=1) - 1) < 1e-5).all()


def test_number_and_order_of_points_never_change() -> None:
    pos = np.concatenate([sphere(), sphere()[:50], np.full((3, 3), np.nan), [[1e9, 0, 0]], sphere()[:1]])
    normals = estimate_normals(pos, "fast", "cpu")
    assert normals.shape == (255, 3)
    np.testing.assert_array_equal(normals[200:250], normals[:50])
    np.testing.assert_array_equal(normals[254], normals[0])
    assert not normals[250:254].any()
    assert np.median(np.abs((normals[:200] * sphere()).sum(1))) > 0.99
    assert reasons(pos, normals) == {"not finite": 3, "far from all others": 1}


@pytest.mark.parametrize(("count", "reason"), [(1, "at one place"), (2, "on a line")])
def test_one_or_two_points_have_no_normal(count: int, reason: str) -> None:
    normals = estimate_normals(sphere()[:count], "fast", "cpu")
    np.testing.assert_array_equal(normals, np.zeros((count, 3)))
    np.testing.assert_array_equal(orient_normals(sphere()[:count], normals), normals)
    assert reasons(sphere()[:count], normals) == {reason: count}


def test_equal_points_have_no_normal() -> None:
    pos = np.concatenate([np.tile(sphere()[0], (200, 1)), [[np.inf, 0, 0]]])
    normals = estimate_normals(pos, "fast", "cpu")
    assert reasons(pos, normals) == {"not finite": 1, "at one place": 200}


@pytest.mark.parametrize("block", ["auto", 150])
def test_missing_returns_at_one_place_take_no_part(block: int | str) -> None:
    pos = 2 * sphere(400) + [0, 0, 50]
    spoiled = np.insert(pos, np.resize([0, 100, 400], 300), [0.0, 0.0, 0.0], axis=0)
    there = spoiled.any(1)
    normals, confidence = normals_and_confidence(spoiled, "fast", "cpu", block=block)
    assert not normals[~there].any()
    assert not confidence[~there].any()
    np.testing.assert_array_equal(normals[there], estimate_normals(pos, "fast", "cpu", block=block))
    assert reasons(spoiled, normals) == {"at a place that many points share, as missing returns do": 300}


def test_points_that_are_all_repeated_have_normals() -> None:
    normals = estimate_normals(np.repeat(sphere(40), 100, axis=0), "fast", "cpu")
    assert normals.any(1).all()


def test_no_reasons_where_all_have_a_normal() -> None:
    assert missing(sphere(), sphere()) == {}


def test_masked_points_have_no_normal() -> None:
    pos = np.ma.masked_array(sphere(), mask=np.zeros((200, 3), dtype=bool))
    pos[7, 1] = np.ma.masked
    pos.data[7, 1] = -9999
    normals = estimate_normals(pos, "fast", "cpu")
    assert not normals[7].any()
    assert np.delete(normals, 7, 0).any(1).all()
    assert missing(as_array(pos), normals)["not finite"] == 1


@pytest.mark.parametrize(
    ("points", "got"),
    [
        ("scan.ply", "got str"),
        (None, "got NoneType"),
        (SimpleNamespace(pos=sphere()), "got SimpleNamespace"),
        (torch.ones(9, 3, dtype=torch.bool), r"got shape \(9, 3\) of bool"),
        (torch.ones(9, 3, dtype=torch.complex64), r"got shape \(9, 3\) of complex64"),
        ([[1, 2, 3], [4, 5]], "got list that makes none"),
    ],
)
def test_what_is_no_array_of_numbers_is_told_by_its_type(points: object, got: str) -> None:
    for refused in (lambda: estimate_normals(points, "fast", "cpu"), lambda: orient_normals(sphere(), points)):
        with pytest.raises(ValueError, match=f"expected .*, {got}"):
            refused()


@pytest.mark.parametrize("weights", [None, 5, torch.nn.Linear(3, 3)])
def test_weights_of_other_types_are_refused(weights: object) -> None:
    with pytest.raises(UserError, match="expected fast, best, a weights file or an estimator, got"):
        estimate_normals(sphere(), weights)
