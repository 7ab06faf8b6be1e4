"""Candidates and the selection among them, before anything is learned."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tensorframes.geometry import build_hierarchy, nearest_neighbours
from tensorframes.geometry.eigen import closed_eigenvalues, eigvalsh
from tensorframes.layers import Geometry, measured
from tensorframes.normals import Jet, LocalPlanes, NeighbourPlanes, RegionPlanes, Select
from tensorframes.normals.candidates import (
    LEAST_LOG_PRIOR,
    Source,
    by_axis,
    linear_step,
    log_prior,
    log_ratio,
    normalised_covariance,
    planarity_prior,
    scaled_neighbourhoods,
    thickness,
)
from tensorframes.testing import assert_equivariant, random_orthogonal
from tests.normals.small import error, roof


def select(*sources: Source[Any], nearest: int = 20) -> Select:
    """A selection with one estimate and embeddings of width 4, as at the start of training."""
    torch.manual_seed(0)
    named = {str(number): source for number, source in enumerate(sources)}
    return Select(4, 1, named, (0.003, 0.02, 0.1), nearest, hidden=8).double()


def geometry(pos: Tensor, part: Select) -> Geometry:
    batch = torch.zeros(len(pos), dtype=torch.long)
    table = nearest_neighbours(pos, batch, part.requirements.neighbours)
    return measured(build_hierarchy(pos, batch, (1.5, 3.0), 8, knn_index=table), part.requirements)


def selected(part: Select, pos: Tensor, estimates: Tensor | None = None, size: int = 64) -> Tensor:
    """Normals of all points; the estimate is the direction from the middle by default."""
    known = geometry(pos, part)
    if estimates is None:
        estimates = torch.nn.functional.normalize(pos - pos.mean(0), dim=-1).unsqueeze(1)
    embedding = torch.linspace(-1, 1, 4).to(pos.dtype).expand(len(pos), 4)
    rows = torch.arange(len(pos))
    with torch.no_grad():
        return part(known, part.plan(known), rows, estimates, embedding, size)[0]


def rough(count: int = 120) -> Tensor:
    return roof(count)[0] + 0.1 * torch.randn(count, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def every() -> Select:
    """A selection among candidates of all sources, with random parameters."""
    sources = (RegionPlanes([[4, 8]]), LocalPlanes([[8, 16], [4]]), NeighbourPlanes(5, 6), Jet())
    part = select(*sources, nearest=23)
    with torch.no_grad():
        for parameter in part.parameters():
            parameter.normal_(std=0.3)
    return part


def test_beside_an_edge_the_plane_of_some_neighbour_is_selected_before_training() -> None:
    pos, normal = roof()
    plane = selected(select(LocalPlanes([[16]])), pos)
    found = selected(select(NeighbourPlanes(6, 12)), pos)
    beside = error(plane, normal) > 5
    assert int(beside.sum()) > 30
    assert error(found, normal)[beside].median() < 3
    assert error(found, normal)[~beside].max() < 1


def test_selections_are_equivariant() -> None:
    part = every()
    assert_equivariant(lambda pos: selected(part, pos), rough(), "1x1", unoriented=True, tolerance=1e-8)


def test_selections_do_not_depend_on_parts_or_order() -> None:
    part, pos, order = every(), rough(), torch.randperm(120)
    whole = selected(part, pos, size=120)
    assert error(selected(part, pos, size=7), whole).max() < 1e-5
    assert error(selected(part, pos[order], size=50), whole[order]).max() < 1e-5


def test_the_normal_has_the_sign_of_the_latest_estimate() -> None:
    part, pos = every(), rough()
    estimates = torch.nn.functional.normalize(torch.randn(120, 1, 3, dtype=torch.float64), dim=-1)
    here, there = selected(part, pos, estimates), selected(part, pos, -estimates)
    assert ((here * estimates[:, 0]).sum(-1) >= 0).all()
    assert torch.allclose(here, -there, atol=1e-9)


def test_candidates_from_collinear_points_are_not_selected() -> None:
    line = torch.arange(40.0, dtype=torch.float64).unsqueeze(1) * torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    estimates = torch.nn.functional.normalize(torch.randn(40, 1, 3, dtype=torch.float64), dim=-1)
    part = select(LocalPlanes([[8, 16]]), NeighbourPlanes(5, 6))
    known = geometry(line, part)
    neighbourhood = scaled_neighbourhoods(known, torch.arange(40), estimates, part.nearest)
    for source, plan in list(zip(part.sources.values(), part.plan(known), strict=True))[:2]:
        assert (source.candidates(plan, neighbourhood).log_prior < 0.9 * LEAST_LOG_PRIOR).all()
    assert error(selected(part, line, estimates), estimates[:, 0]).max() < 1e-5


def test_selections_stay_in_full_precision() -> None:
    """Under autocast the scores are rounded to three digits, but no plane is."""
    part, pos = every().float(), rough()
    turn = random_orthogonal(1, determinant=-1)[0]
    with torch.autocast("cpu", torch.bfloat16):
        here, there = selected(part, pos.float()), selected(part, (pos @ turn.T).float())
    assert here.dtype == torch.float32
    assert error(here @ turn.T.float(), there).median() < 0.5


def test_features_of_candidates_are_of_order_one() -> None:
    part, pos = every(), 10 * rough()
    known = geometry(pos, part)
    estimates = torch.nn.functional.normalize(pos, dim=-1).unsqueeze(1)
    neighbourhood = scaled_neighbourhoods(known, torch.arange(120), estimates, part.nearest)
    for source, plan in zip(part.sources.values(), part.plan(known), strict=True):
        found = source.candidates(plan, neighbourhood)
        assert found.directions.shape == (120, source.count, 3)
        assert found.features.shape == (120, source.count, source.width)
        assert found.log_prior.shape == (120, source.count)
        assert found.features.isfinite().all()
        assert found.features.abs().amax() < 4 if source.width else True


def test_scales_of_features() -> None:
    assert linear_step(torch.tensor([0.0, 1.5, 9.0]), 1, 2).tolist() == [0, 0.5, 1]
    assert log_prior(torch.tensor([1.0, 0.0])).tolist() == pytest.approx([0, -69.08], abs=0.01)
    assert log_ratio(torch.tensor([0.0, 1.0]), 1e-4).tolist() == pytest.approx([-1, 1], abs=1e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NeighbourPlanes(2, 4), "expected size >= 3 and neighbours >= 0, got 2 and 4"),
        (lambda: Select(4, 1, {}, tolerances=(0.1, 0.01)), "expected at least two tolerances above 0, ascending"),
        (lambda: Select(4, 1, {"estimates": Jet()}), "expected sources of other names than estimates"),
        (lambda: Select(4, 1, {}, nearest=3), "expected nearest >= 15 and hidden >= 2, got 3 and 16"),
        (lambda: LocalPlanes([[4, 0]]), "expected counts >= 1 for local planes"),
    ],
)
def test_wrong_settings_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def priors(normals: Tensor, points: Tensor) -> Tensor:
    """``planarity_prior`` of normals (1, C, 3) at points (K, 3)."""
    covariance = normalised_covariance(points.unsqueeze(0))
    variance, exact = thickness(by_axis(normals), covariance), eigvalsh(covariance)
    prior = planarity_prior(variance, closed_eigenvalues(covariance))
    torch.testing.assert_close(planarity_prior(variance, exact), prior, rtol=1e-6, atol=1e-9)
    return prior[0]


def test_only_the_normal_of_points_that_spread_over_a_plane_has_a_prior() -> None:
    flat = torch.randn(40, 3, generator=torch.Generator().manual_seed(6)).double() * torch.tensor([1.0, 1.0, 0.05])
    line = flat * torch.tensor([1.0, 0.05, 1.0])
    axes = torch.eye(3, dtype=torch.float64).unsqueeze(0)
    assert priors(axes, flat).tolist() == pytest.approx([0, 0, 1], abs=1e-9)
    assert priors(axes, line).tolist() == pytest.approx([1, 1, 1])


def test_normals_of_both_faces_stay_at_an_edge() -> None:
    corner = torch.rand(40, 3, generator=torch.Generator().manual_seed(7)).double()
    corner[:20, 0], corner[20:, 1] = 0, 0
    faces = torch.eye(3, dtype=torch.float64)[:2].unsqueeze(0)
    assert priors(faces, corner).tolist() == pytest.approx([1, 1])
