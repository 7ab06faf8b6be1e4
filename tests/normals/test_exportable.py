"""Networks for torch.export: tensors in, normals out, the same as the estimator's."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tensorframes.backbones import GIN
from tensorframes.frames import LearnedFrames
from tensorframes.normals import (
    ExportableEstimator,
    NormalEstimator,
    VectorHead,
    elementary,
    expected_error,
    pretrained,
)
from tensorframes.normals.elementary import cholesky_ex, cholesky_solve


def sphere(count: int) -> Tensor:
    """Noisy points of a sphere; the last of them equals the first."""
    pos = torch.nn.functional.normalize(torch.randn(count, 3), dim=-1) + 0.01 * torch.randn(count, 3)
    pos[-1] = pos[0]
    return pos.double()


def lines(count: int) -> Tensor:
    """The same beside a line, whose points have no plane of their own."""
    along = torch.linspace(3, 9, 60, dtype=torch.float64).unsqueeze(1)
    return torch.cat([sphere(count), along * torch.tensor([[1.0, 0.5, 0.0]], dtype=torch.float64)])


def eager(network: NormalEstimator, pos: Tensor) -> tuple[Tensor, ...]:
    with torch.no_grad():
        found = network(pos)
    return (found.normal,) if found.error is None else (found.normal, expected_error(found.error))


def exported(network: ExportableEstimator) -> torch.export.ExportedProgram:
    return torch.export.export(network, network.example(), dynamic_shapes=network.dynamic_shapes(), strict=False)


def test_normals_and_errors_of_prepared_clouds_are_the_estimators() -> None:
    network = pretrained("fast")
    exportable = ExportableEstimator(network)
    for pos in (sphere(400), lines(300)):
        with torch.no_grad():  # as the estimator: with gradients sums are added in another order
            found = exportable(exportable.prepare(pos))
        expected = eager(network, pos)
        assert len(found) == len(expected) == 2
        for values, same in zip(found, expected, strict=True):
            torch.testing.assert_close(values, same, rtol=0, atol=1e-6)


def test_points_on_lines_are_among_the_inputs() -> None:
    """Otherwise the test above would not see what replaces their normals."""
    exportable = ExportableEstimator(pretrained("fast"))
    assert exportable.prepare(lines(300))["plan.collinear"].sum() > 20


def test_a_small_network_is_exported_for_clouds_of_any_size() -> None:
    backbone = GIN(widths=(8,), width=8, neighbours=6, radii=())
    network = NormalEstimator(LearnedFrames("o"), backbone, VectorHead, oriented=True)
    exportable = ExportableEstimator(network)
    program = exported(exportable)
    for pos in (sphere(40), sphere(90)):
        found = program.module()(exportable.prepare(pos))
        torch.testing.assert_close(found, eager(network.eval(), pos), rtol=0, atol=1e-5)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Several share sums in ways that depend on where a program's tensors lie in memory."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_the_shipped_network_is_exported_for_clouds_of_any_size() -> None:
    network = pretrained("fast")
    exportable = ExportableEstimator(network)
    program = exported(exportable)
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    loaded = torch.export.load(file).module()
    for pos in (lines(500), sphere(3000), sphere(30)):
        with torch.no_grad():
            found = loaded(exportable.prepare(pos))
        torch.testing.assert_close(found, eager(network, pos), rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_factorisations_written_out_are_those_of_torch(dtype: torch.dtype) -> None:
    root, right = torch.randn(20, 6, 9, dtype=dtype), torch.randn(20, 6, 2, dtype=dtype)
    matrix = root @ root.mT + 0.1 * torch.eye(6, dtype=dtype)
    matrix[3] -= 20 * torch.eye(6, dtype=dtype)
    (factor, failed), (same, bad) = cholesky_ex(matrix), torch.linalg.cholesky_ex(matrix)
    sure = failed == 0
    assert torch.equal(sure, bad == 0)
    assert sure.sum() == 19
    torch.testing.assert_close(factor[sure], same[sure])
    found, solution = cholesky_solve(right[sure], factor[sure]), torch.cholesky_solve(right[sure], same[sure])
    torch.testing.assert_close(found, solution, rtol=1e-3 if dtype == torch.float32 else 1e-9, atol=1e-5)


@pytest.mark.slow
def test_the_shipped_network_is_exported_to_onnx(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    network = ExportableEstimator(pretrained("fast"))
    torch.onnx.export(elementary(exported(network)), dynamo=True, optimize=False).save(tmp_path / "fast.onnx")
    session = runtime.InferenceSession(tmp_path / "fast.onnx", providers=["CPUExecutionProvider"])
    for pos in (sphere(500), lines(3000)):
        inputs = network.prepare(pos)
        feed = {given.name: each.numpy() for given, each in zip(session.get_inputs(), inputs.values(), strict=True)}
        found, expected = session.run(None, feed), network(inputs)
        angle = torch.linalg.cross(torch.from_numpy(found[0]), expected[0]).norm(dim=-1).rad2deg()
        assert angle.quantile(0.99) < 0.5
        assert np.quantile(np.abs(found[1] - expected[1].numpy()), 0.99) < 0.02


def test_networks_that_cannot_be_exported_are_refused() -> None:
    with pytest.raises(ValueError, match="whose head can be exported, as that of fast, got a PlaneFitHead"):
        ExportableEstimator(pretrained("best"))


@pytest.mark.parametrize("points", [torch.zeros(0, 3), torch.zeros(4, 2), torch.full((4, 3), torch.nan)])
def test_points_must_be_finite(points: Tensor) -> None:
    exportable = ExportableEstimator(pretrained("fast"))
    with pytest.raises(ValueError, match="expected finite points"):
        exportable.prepare(points)
