"""Eigenvalues and eigenvectors of symmetric matrices."""

import pytest
import torch

from tensorframes.geometry.eigen import BATCH, eigh, eigvalsh, jacobi


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
