"""Eigenvalues and eigenvectors of symmetric matrices."""

import pytest
import torch

from tensorframes.geometry import eigen
from tensorframes.geometry.eigen import BATCH, closed_eigenvalues, eigh, eigvalsh, jacobi, principal_axis


def symmetric_matrices(dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Name -> (N, 3, 3): general ones, and those whose eigenvalues meet, vanish, or span decades."""
    generator = torch.Generator().manual_seed(0)
    general = torch.randn(500, 3, 3, generator=generator, dtype=torch.float64)
    turned = torch.linalg.qr(general).Q
    flat = turned @ torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64).diag() @ turned.mT
    thin = turned @ torch.tensor([1e-12, 1e-6, 1.0], dtype=torch.float64).diag() @ turned.mT
    matrices_by_kind = {
        "general": general + general.mT,
        "flat": flat,
        "thin": thin,
        "line": turned[..., :1] @ turned[..., :1].mT,
        "diagonal": torch.diag_embed(general[:, 0]),
        "equal": torch.eye(3, dtype=torch.float64).expand(5, 3, 3),
        "zero": torch.zeros(5, 3, 3, dtype=torch.float64),
        "large": 1e15 * flat,
        "small": 1e-15 * flat,
    }
    return {name: each.to(dtype) for name, each in matrices_by_kind.items()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", symmetric_matrices(torch.float64))
def test_jacobi_rotations_diagonalise(name, dtype):
    matrices = symmetric_matrices(dtype)[name]
    values, vectors = jacobi(matrices)
    size = matrices.abs().amax().clamp_min(torch.finfo(dtype).tiny)
    error = 50 * torch.finfo(dtype).eps
    assert (values.diff(dim=-1) >= 0).all()
    assert (vectors.mT @ vectors - torch.eye(3, dtype=dtype)).abs().max() < error
    assert (vectors @ values.diag_embed() @ vectors.mT - matrices).abs().max() / size < error
    assert (values - torch.linalg.eigvalsh(matrices)).abs().max() / size < error


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
@pytest.mark.parametrize("dim", [2, 3, 4])
def test_cuda_takes_more_matrices_than_its_library(dim):
    general = torch.randn(2, 3 * BATCH, dim, dim, dtype=torch.float64)
    matrices = general + general.mT
    values, vectors = eigh(matrices.cuda())
    assert torch.allclose(values.cpu(), torch.linalg.eigvalsh(matrices), atol=1e-10)
    assert torch.allclose((vectors @ values.diag_embed() @ vectors.mT).cpu(), matrices, atol=1e-10)
    assert torch.allclose(eigvalsh(matrices.cuda()).cpu(), values.cpu(), atol=1e-10)


@pytest.mark.parametrize("name", ["general", "flat", "thin", "diagonal", "large", "small"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_closed_eigenvalues_are_those_of_lapack(name: str, dtype: torch.dtype) -> None:
    matrices = symmetric_matrices(dtype)[name]
    expected = torch.linalg.eigvalsh(matrices.double())
    size = expected.abs().amax(-1, keepdim=True)
    error = (closed_eigenvalues(matrices).double() - expected).abs() / size
    assert error.max() < 3 * torch.finfo(dtype).eps ** 0.5  # where two are equal
    assert error.quantile(0.3) < 20 * torch.finfo(dtype).eps


@pytest.mark.parametrize("name", ["general", "line", "diagonal", "large", "small"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_principal_axis_is_the_eigenvector_of_lapack(name: str, dtype: torch.dtype) -> None:
    matrices = symmetric_matrices(dtype)[name]
    if name in ("large", "small"):  # flat: its two largest eigenvalues are equal
        matrices = matrices.amax() * symmetric_matrices(dtype)["line"]
    values, vectors = torch.linalg.eigh(matrices.double())
    gap = (values[:, 2] - values[:, 1]) / values.abs().amax(-1)
    sine = torch.linalg.cross(principal_axis(matrices).double(), vectors[..., 2]).norm(dim=-1)
    assert (sine * gap).max() < 20 * torch.finfo(dtype).eps
    assert (principal_axis(matrices).norm(dim=-1) - 1).abs().max() < 1e-6


def test_the_axis_of_equal_eigenvalues_is_finite() -> None:
    for name in ("equal", "zero"):
        assert (principal_axis(symmetric_matrices(torch.float32)[name]) == 0).all()


def test_eigenvectors_have_no_derivatives_on_any_device() -> None:
    matrices = symmetric_matrices(torch.float64)["general"].requires_grad_()
    assert not any(each.requires_grad for each in (*eigh(matrices), eigvalsh(matrices)))


def test_a_kernel_that_memory_was_short_for_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors of the device are raised and forgotten; Triton's own are remembered, with a warning."""
    errors: list[Exception | None] = [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("Triton Error [CUDA]: out of memory"),
        None,
    ]
    tried = []

    def attempt(device: torch.device) -> None:
        tried.append(device)
        if (error := errors[len(tried) - 1]) is not None:
            raise error

    monkeypatch.setattr(eigen, "try_kernel", attempt)
    monkeypatch.setattr(eigen, "find_spec", lambda name: name)
    first, second = torch.device("cuda", 90), torch.device("cuda", 91)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="out of memory"):
            eigen.has_kernel(first)
    assert eigen.has_kernel(first)
    assert eigen.has_kernel(first)
    assert len(tried) == 3
    errors.append(RuntimeError("Failed to find C compiler"))
    with pytest.warns(UserWarning, match="without Triton: Failed to find C compiler"):
        assert not eigen.has_kernel(second)
    assert not eigen.has_kernel(second)
    assert len(tried) == 4
    assert not eigen.has_kernel(torch.device("cpu"))
