"""One weighted fit: what it fits, and what its prior holds."""

import math

import pytest
import torch
from torch import Tensor

from tensorframes.layers import PooledMoments
from tensorframes.normals import WeightedFit
from tensorframes.normals.neighbourhoods import Neighbourhoods
from tensorframes.normals.weighted_fit import LEAST_WEIGHT, least_weight, residual_variance, tangent_projectors
from tensorframes.testing import assert_equivariant


def neighbourhoods(pos: Tensor) -> Neighbourhoods:
    """All points around each of (N, 3) points, itself first."""
    rows = torch.arange(len(pos))
    table = (rows.view(-1, 1) + rows) % len(pos)
    return Neighbourhoods(rows, table, pos[table] - pos.unsqueeze(1), (len(pos),))


def made(prior: float = -8.0, log_strength: float = -8.0) -> WeightedFit:
    """A fit with these log strengths of the priors: b of the point's own estimate, c of the neighbours' estimates."""
    torch.manual_seed(0)
    fit = WeightedFit(2, [40], 8).double()
    with torch.no_grad():
        fit.prior.bias.fill_(prior)
        fit.net[-1].bias[1] = log_strength
    return fit


def fitted(fit: WeightedFit, pos: Tensor, normals: Tensor, size: int = 64) -> Tensor:
    with torch.no_grad():
        return fit(neighbourhoods(pos), normals, torch.zeros(len(pos), 2, dtype=pos.dtype), size)


def slab(thickness: float) -> Tensor:
    scale = torch.tensor([1.0, 1.0, thickness], dtype=torch.float64)
    return torch.randn(40, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * scale


def leaning(count: int, angle: float) -> Tensor:
    """Unit vectors at the same angle to z, one to each side in turn, mirrored signs among them."""
    side = torch.where(torch.arange(count) % 2 == 0, 1.0, -1.0).double()
    vectors = torch.stack([side * torch.sin(torch.tensor(angle)), 0 * side, torch.cos(torch.tensor(angle)) + 0 * side])
    return vectors.T * torch.where(torch.arange(count) % 3 == 0, -1.0, 1.0).double().unsqueeze(1)


def test_the_prior_takes_the_axis_of_the_neighbours_estimates_or_the_points_own() -> None:
    pos, normals = slab(0.5), leaning(40, 0.4)
    assert fitted(made(log_strength=8.0), pos, normals)[:, 2].abs().min() > 0.999  # the mean axis of both sides is z
    assert fitted(made(), pos, normals)[:, 2].abs().max() < 0.999
    assert fitted(made(prior=6.0), pos, normals)[:, 2].abs().max() < 0.96  # cos 0.4 = 0.92


def test_points_in_a_plane_give_its_normal_whatever_the_estimates_say() -> None:
    normal = fitted(made(prior=6.0, log_strength=8.0), slab(0.0), leaning(40, 0.4))
    assert torch.allclose(normal[:, 2].abs(), torch.ones(40, dtype=torch.float64), atol=1e-12)


def test_at_initialisation_the_prior_of_the_neighbours_is_weak() -> None:
    torch.manual_seed(0)
    pos, normals, fit = slab(0.3), leaning(40, 0.4), WeightedFit(2, [40], 8).double()
    with torch.no_grad():
        fit.prior.bias.fill_(-8.0)
    torch.manual_seed(0)
    assert ((fitted(fit, pos, normals) * fitted(made(), pos, normals)).sum(-1).abs() > 1 - 1e-6).all()


def test_fits_are_equivariant_and_do_not_depend_on_parts() -> None:
    fit, pos = made(prior=0.0, log_strength=0.0), slab(0.4)
    for parameter in fit.parameters():
        torch.nn.init.normal_(parameter, std=0.3)

    def normals(cloud: Tensor) -> Tensor:
        return fitted(fit, cloud, torch.nn.functional.normalize(cloud - cloud.mean(0), dim=-1))

    assert_equivariant(normals, pos, "1x1")
    assert torch.allclose(fitted(fit, pos, leaning(40, 0.4), size=7), fitted(fit, pos, leaning(40, 0.4)), atol=1e-12)


def test_tangent_projectors_are_summed() -> None:
    normal = torch.nn.functional.normalize(torch.randn(5, 7, 3, dtype=torch.float64), dim=-1)
    share = torch.rand(5, 7, dtype=torch.float64)
    projectors = torch.eye(3, dtype=torch.float64) - normal.unsqueeze(-1) * normal.unsqueeze(-2)
    assert torch.allclose(tangent_projectors(normal, share), (share[..., None, None] * projectors).sum(1))
    assert torch.allclose(tangent_projectors(normal), projectors.sum(1))


def test_the_residual_variance_is_close_to_the_smallest_eigenvalue() -> None:
    values = torch.tensor([[0.1, 1.0, 2.0], [0.0, 1.0, 2.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0]], dtype=torch.float64)
    expected = [1 / (10 + 1 + 0.5), 0, 0, 1 / 3]
    assert residual_variance(values.diag_embed()).tolist() == pytest.approx(expected)


def test_far_and_populous_coarse_points_have_a_smaller_least_weight() -> None:
    edge = torch.tensor([[[1.0, 0, 0], [0, 1, 0], [6, 0, 0], [0, 6, 0], [600, 0, 0]]], dtype=torch.float64)
    counts = torch.tensor([1.0, 300.0, 1.0], dtype=torch.float64)
    moments = PooledMoments(counts, torch.zeros(3, 3), torch.zeros(3, 3, 3))
    table = torch.zeros(1, 5, dtype=torch.long)
    near = Neighbourhoods(torch.tensor([0]), table, edge, (2, 3), moments, torch.arange(3).unsqueeze(0))
    found = least_weight(near)[0] / LEAST_WEIGHT
    assert found[:2].tolist() == [1, 1]
    assert found[2] == pytest.approx(math.exp(-1 / 16))
    assert found[3] == pytest.approx(found[2] / 100)
    assert found[4] < 1e-100


@pytest.mark.parametrize("neighbours", [[], [2], [18, -1]])
def test_wrong_settings_are_refused(neighbours: list[int]) -> None:
    with pytest.raises(ValueError, match="expected at least 3 neighbours at level 0 and none below 0"):
        WeightedFit(2, neighbours)
    with pytest.raises(ValueError, match="expected hidden >= 2, got 1"):
        WeightedFit(2, [8], hidden=1)
