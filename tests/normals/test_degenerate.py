"""Points whose neighbours lie on a line, told from points whose neighbours lie near one."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.functional import normalize

from tensorframes.normals.degenerate import on_line, planes
from tensorframes.testing import random_orthogonal


@pytest.mark.parametrize("mixed", [False, True])
def test_lines_are_found_and_thin_planes_are_none(mixed: bool) -> None:
    """Also in mixed precision: a plane of 3 % second axis is a plane, and an exact line a line."""
    thin = torch.randn(500, 16, 3) * torch.tensor([1.0, 0.03, 0.0]) @ random_orthogonal(1)[0].float()
    line = torch.randn(500, 16, 1) * normalize(torch.randn(500, 1, 3), dim=-1)
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        for edges, is_line in ((thin, False), (line, True)):
            geometry: Any = SimpleNamespace(edges=edges)
            assert (on_line(geometry, torch.arange(500)) == is_line).all()
            assert (planes(edges)[1] != is_line).all()
