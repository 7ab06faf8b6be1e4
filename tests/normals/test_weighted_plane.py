"""One plane fit: what it fits, and what its prior holds."""

import torch

from tensorframes.normals.fit import Fit
from tensorframes.normals.neighbourhoods import Neighbourhoods
from tensorframes.normals.weighted_plane import PlaneFit


def neighbourhoods(pos: torch.Tensor) -> Neighbourhoods:
    """All points around each of (N, 3) points, itself first."""
    count = len(pos)
    rows = torch.arange(count)
    table = (rows.view(-1, 1) + rows) % count
    edge = pos[table] - pos.unsqueeze(1)
    return Neighbourhoods(rows, table, edge, (count,))


def fitted(fit: PlaneFit, pos: torch.Tensor, normals: torch.Tensor, prior: float = -8.0) -> torch.Tensor:
    near, embedding = neighbourhoods(pos), torch.zeros(len(pos), 2, dtype=torch.float64)
    others = normals[near.table]
    out = fit(
        near,
        others,
        Fit(normals),
        torch.full((len(pos),), prior, dtype=torch.float64),
        embedding,
        fit.sender_layer(embedding),
    )
    return out.normal


def made(log_strength: float = 8.0) -> PlaneFit:
    """A fit with this log strength c of the prior of the neighbours' normals."""
    torch.manual_seed(0)
    fit = PlaneFit(1, 8, 2).double()
    torch.nn.init.constant_(fit.strength.bias, log_strength)
    return fit


def slab(thickness: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    scale = torch.tensor([1.0, 1.0, thickness], dtype=torch.float64)
    return torch.randn(40, 3, generator=generator, dtype=torch.float64) * scale


def leaning(count: int, angle: float) -> torch.Tensor:
    """Unit vectors at the same angle to z, one to each side in turn but for the first, mirrored signs among them."""
    side = torch.where(torch.arange(count) % 2 == 0, 1.0, -1.0).double()
    vectors = torch.stack([side * torch.sin(torch.tensor(angle)), 0 * side, torch.cos(torch.tensor(angle)) + 0 * side])
    return vectors.T * torch.where(torch.arange(count) % 3 == 0, -1.0, 1.0).double().unsqueeze(1)


def test_filtering_takes_the_axis_of_the_neighbours_normals() -> None:
    pos, normals = slab(0.5), leaning(40, 0.4)
    height = fitted(made(), pos, normals)[:, 2].abs()
    alone = fitted(made(-8.0), pos, normals)[:, 2].abs()
    own = fitted(made(-8.0), pos, normals, prior=6.0)[:, 2].abs()
    assert height.min() > 0.999  # the mean axis of both sides is z
    assert alone.max() < 0.999
    assert own.max() < 0.96  # each sticks to its own: cos 0.4 = 0.92


def test_points_in_a_plane_give_its_normal_whatever_the_neighbours_normals_say() -> None:
    normal = fitted(made(), slab(0.0), leaning(40, 0.4), prior=6.0)
    assert torch.allclose(normal[:, 2].abs(), torch.ones(40, dtype=torch.float64), atol=1e-12)


def test_filtering_begins_weak() -> None:
    torch.manual_seed(0)
    fit = PlaneFit(1, 8, 2).double()
    pos, normals = slab(0.3), leaning(40, 0.4)
    without = fitted(made(-8.0), pos, normals)
    assert ((fitted(fit, pos, normals) * without).sum(-1).abs() > 1 - 1e-6).all()
