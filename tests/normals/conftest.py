"""Clouds that several tests of heads look at."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor


@pytest.fixture
def cubes() -> Callable[[int], tuple[Tensor, Tensor]]:
    """Makes small facets: so many points on faces of cubes in a row, about ten on each, and their normals."""

    def made(count: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(3)
        axis = torch.randint(3, (count,), generator=generator)
        pos = torch.rand(count, 3, generator=generator, dtype=torch.float64)
        side = torch.randint(2, (count,), generator=generator).double()
        normal = torch.nn.functional.one_hot(axis, 3).double()
        pos = torch.where(normal > 0, side.unsqueeze(1), pos)
        pos[:, 0] += 3 * torch.randint(count // 60, (count,), generator=generator)
        return pos, normal

    return made
