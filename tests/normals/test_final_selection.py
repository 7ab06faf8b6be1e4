"""The final selection: what is selected at initialisation, and what it does not depend on."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tensorframes.geometry import nearest_neighbours
from tensorframes.layers import MultiScalePlanes
from tensorframes.normals.final_candidates import FinalInputs
from tensorframes.normals.final_selection import FinalSelection
from tensorframes.normals.fit import Fit
from tensorframes.normals.small_plane_selection import neighbour_edges
from tensorframes.testing import assert_equivariant

Cubes = Callable[[int], tuple[Tensor, Tensor]]


def selection(planes: int = 0, trained: bool = False, **settings: Any) -> FinalSelection:
    torch.manual_seed(1)
    part = FinalSelection(4, 2, planes, **settings).double().eval()
    if trained:
        for parameter in part.score[-1].parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return part


def selected(
    part: FinalSelection, pos: Tensor, estimates: Tensor, near: MultiScalePlanes | None = None, size: int = 50
) -> Tensor:
    """Normals of all points (N, 3) from estimates (2, N, 3)."""
    level = torch.ones(len(pos), dtype=pos.dtype)
    fit = Fit(estimates[-1], height=0.1 * level, thickness=0.2 * level)
    embedding = torch.linspace(-1, 1, 4, dtype=pos.dtype).expand(len(pos), 4)
    normals, _ = part(around(pos, part), estimates, fit, embedding, near, size)
    return normals.detach()


def around(pos: Tensor, part: FinalSelection) -> Tensor:
    """Edges (N, K, 3) to the nearest points."""
    return neighbour_edges(pos, nearest_neighbours(pos, torch.zeros(len(pos), dtype=torch.long), part.points))[:, 1:]


def outward(pos: Tensor) -> Tensor:
    """Two estimates at every point: vectors that rotate with the cloud."""
    arm = pos - pos.mean(0)
    towards = arm.norm(dim=-1, keepdim=True) * arm + arm.roll(1, 0)
    return torch.nn.functional.normalize(torch.stack([arm, towards]), dim=-1)


def rough(count: int = 200) -> Tensor:
    return torch.randn(count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(4)) * torch.tensor(
        [3.0, 3.0, 1.0], dtype=torch.float64
    )


def error(normal: Tensor, target: Tensor) -> Tensor:
    return torch.rad2deg((normal * target).sum(-1).abs().clamp(max=1).acos())


@pytest.mark.parametrize("digits", [15, 5])
def test_facets_are_selected_over_wrong_estimates_also_when_rounded(digits: int, cubes: Cubes) -> None:
    pos, normal = cubes(1200)
    off = error(selected(selection(), pos.round(decimals=digits), outward(pos)), normal)
    assert (off < 1).double().mean() > 0.8


def test_without_inliers_the_fit_is_selected() -> None:
    pos = rough()
    estimates = outward(pos)
    off = error(selected(selection(), pos, estimates), estimates[-1])
    assert off.median() < 1
    assert (off < 5).double().mean() > 0.95


def test_a_fit_with_inliers_of_its_own_is_selected() -> None:
    pos, part = rough(), selection()
    lifted = torch.arange(len(pos)) % 5 == 0
    pos[:, 2] = torch.where(lifted, 0.3 * pos[:, 2].abs(), 0)
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(2, len(pos), 3)
    assert error(selected(part, pos, up), up[0])[~lifted].max() < 1
    with torch.no_grad():
        part.inlier_coefficients.zero_()
        part.kind_bias[:2] = -50
    assert error(selected(part, pos, up), up[0])[~lifted].max() > 5


@pytest.mark.parametrize("facets_only", [False, True])
def test_only_facets_have_inliers_if_so_set(facets_only: bool) -> None:
    pos, part = rough() * torch.tensor([1.0, 1.0, 0.0]), selection(facets_only=facets_only)
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(len(pos), 2, 3)
    thin, embedding = torch.zeros(len(pos), 2, dtype=torch.float64), torch.zeros(len(pos), 4, dtype=torch.float64)
    count = part.candidates(FinalInputs(around(pos, part), up, thin, embedding, None, None)).inliers[..., 0]
    assert bool((count[:, :3] == 0).all()) == facets_only
    assert (count[:, 3:].amax(1) > 4).all()


@pytest.mark.parametrize(("squared_sines", "found"), [((0.001, 0.01), True), ((0.9, 1.0), False)])
def test_slender_triangles_are_not_valid(squared_sines: tuple[float, float], found: bool, cubes: Cubes) -> None:
    pos, normal = cubes(1200)
    right = (error(selected(selection(squared_sines=squared_sines), pos, outward(pos)), normal) < 1).double().mean()
    assert (right > 0.8) == found


def test_local_planes_can_be_selected() -> None:
    pos, part = rough(), selection(planes=1)
    axis = torch.nn.functional.normalize(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64), dim=0)
    planes = (0.9 * axis[:, None] * axis + 0.1 * torch.eye(3)).expand(len(pos), 1, 3, 3)
    near = MultiScalePlanes(planes, torch.zeros(len(pos), 1, 4, dtype=torch.float64))
    assert error(selected(part, pos, outward(pos), near), axis).median() > 10
    with torch.no_grad():
        part.kind_bias[-1] = 20
    assert error(selected(part, pos, outward(pos), near), axis).max() < 0.1


def test_selections_are_equivariant() -> None:
    part, pos = selection(trained=True), rough()
    assert_equivariant(lambda cloud: selected(part, cloud, outward(cloud)), pos, "1x1", unoriented=True)


def test_selections_do_not_depend_on_chunks_or_order() -> None:
    part, pos, order = selection(trained=True), rough(), torch.randperm(200)
    estimates = outward(pos)
    whole = selected(part, pos, estimates, size=200)
    assert torch.allclose(selected(part, pos, estimates, size=7), whole, atol=1e-12)
    assert torch.allclose(selected(part, pos[order], estimates[:, order]), whole[order], atol=1e-9)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9])
def test_few_points_have_a_normal(count: int) -> None:
    pos = rough(count)
    across = torch.tensor([0.1, 0.2, 1.0], dtype=torch.float64).expand(2, count, 3)  # of the plane that they lie about
    estimates = torch.nn.functional.normalize(across, dim=-1)
    found = selected(selection(trained=True), pos, estimates)
    assert torch.allclose(found.norm(dim=-1), torch.ones(count, dtype=torch.float64))
    assert error(selected(selection(), pos, estimates), estimates[-1]).max() < 5


def test_parameters_and_estimates_have_gradients() -> None:
    pos, part = rough(), selection(trained=True).train()
    estimates = outward(pos).requires_grad_()
    level = torch.ones(len(pos), dtype=pos.dtype)
    embedding = torch.zeros(len(pos), 4, dtype=torch.float64, requires_grad=True)
    found, _ = part(
        around(pos, part), estimates, Fit(estimates[-1], height=level, thickness=level), embedding, None, len(pos)
    )
    found[:, 0].square().sum().backward()
    learned = [
        part.inlier_coefficients,
        part.kind_bias,
        part.point_layer.weight,
        part.sample_layer.weight,
        part.estimate_layer.weight,
        estimates,
        embedding,
    ]
    for value in learned:
        assert value.grad is not None
        assert value.grad.isfinite().all()
        assert value.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sample_neighbours": 1}, "pairs of 2 to 31 neighbours, got pairs of 1"),
        ({"sample_neighbours": 32}, "pairs of 2 to 31 neighbours, got pairs of 32"),
        ({"points": 23}, "more than 23 points, for a jet, got 23"),
        ({"estimates": 0}, "estimates and hidden >= 1 and planes >= 0, got 0, 24 and 0"),
        ({"planes": -1}, "got 2, 24 and -1"),
        ({"squared_sines": (0.1, 0.01)}, r"two squared_sines in \[0, 1\], ascending, got \[0.1, 0.01\]"),
        ({"squared_sines": (0.1,)}, r"got \[0.1\]"),
        ({"tolerances": (0.1, 0.01)}, r"tolerances above 0, ascending, got \[0.1, 0.01\]"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FinalSelection(**{"embedding": 4, "estimates": 2, **wrong})
