"""Jets: the tangent planes of bent surfaces."""

import torch

from tensorframes.layers import jet, sharpened
from tensorframes.testing import random_orthogonal


def test_a_jet_knows_the_tangent_plane_of_a_bent_surface() -> None:
    generator = torch.Generator().manual_seed(0)
    uv = 2 * torch.rand(5, 23, 2, generator=generator, dtype=torch.float64) - 0.7
    height = 0.3 * uv[..., 0] + 0.4 * uv[..., 0] ** 2 - 0.5 * uv[..., 0] * uv[..., 1]
    edge = torch.cat([uv, height.unsqueeze(-1)], dim=-1)
    start = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(5, 3)
    target = torch.nn.functional.normalize(torch.tensor([-0.3, 0.0, 1.0], dtype=torch.float64), dim=0)
    normal, rough = jet(edge, start)
    assert (normal @ target).min() > 1 - 1e-6
    assert rough.max() < 1e-3
    g = random_orthogonal(1, determinant=-1)[0]
    turned, again = jet(edge @ g.T, start @ g.T)
    assert torch.allclose(turned, normal @ g.T, atol=1e-10)
    assert torch.allclose(again, rough, atol=1e-10)


def test_sharp_planes_are_axes_and_nothing_stays_nothing() -> None:
    basis = random_orthogonal(1, determinant=1)[0]
    plane = basis.T @ torch.diag(torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)) @ basis
    sharp = sharpened(torch.stack([plane, torch.zeros(3, 3, dtype=torch.float64)]))
    assert torch.allclose(sharp[0], basis[0].outer(basis[0]), atol=1e-4)
    assert not sharp[1].any()
