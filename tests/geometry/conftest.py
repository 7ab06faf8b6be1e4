"""What the tests of this room share."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor


@pytest.fixture(name="orthogonal")
def _orthogonal() -> Callable[[int, int], Tensor]:
    """seed, dim -> a random orthogonal matrix, float64: a rotation for even seeds, a reflection for odd ones."""

    def draw(seed: int, dim: int = 3) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        matrix = torch.linalg.qr(torch.randn(dim, dim, generator=generator, dtype=torch.float64)).Q
        wanted = -1.0 if seed % 2 else 1.0
        matrix[0] *= wanted * torch.linalg.det(matrix).sign()
        return matrix

    return draw
