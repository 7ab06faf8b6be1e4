"""The last choice among planes, before anything was learned: who wins, and what it must not depend on."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tensorframes.geometry import nearest_neighbours
from tensorframes.layers import MultiScalePlanes
from tensorframes.normals.fit import Fit
from tensorframes.normals.last_choice import Found, LastChoice
from tensorframes.normals.plane_votes import edges
from tensorframes.testing import assert_equivariant

Cubes = Callable[[int], tuple[Tensor, Tensor]]


def choice(planes: int = 0, awake: bool = False, **settings: Any) -> LastChoice:
    torch.manual_seed(1)
    made = LastChoice(4, 2, planes, **settings).double().eval()
    if awake:
        for parameter in made.score[-1].parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return made


def decided(
    made: LastChoice, pos: Tensor, answers: Tensor, near: MultiScalePlanes | None = None, size: int = 50
) -> Tensor:
    """Normals of all points (N, 3) from answers (2, N, 3)."""
    level = torch.ones(len(pos), dtype=pos.dtype)
    fit = Fit(answers[-1], centre=0.1 * level, thickness=0.2 * level)
    embedding = torch.linspace(-1, 1, 4, dtype=pos.dtype).expand(len(pos), 4)
    normals, _ = made(around(pos, made), answers, fit, embedding, near, size)
    return normals.detach()


def around(pos: Tensor, made: LastChoice) -> Tensor:
    """Edges (N, K, 3) to the nearest points."""
    return edges(pos, nearest_neighbours(pos, torch.zeros(len(pos), dtype=torch.long), made.reach))[:, 1:]


def outward(pos: Tensor) -> Tensor:
    """Two answers at every point, some vectors that turn with the cloud."""
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
def test_facets_win_over_wrong_answers_also_when_rounded(digits: int, cubes: Cubes) -> None:
    pos, normal = cubes(1200)
    off = error(decided(choice(), pos.round(decimals=digits), outward(pos)), normal)
    assert (off < 1).double().mean() > 0.8


def test_where_nothing_is_exact_the_fit_stays() -> None:
    pos = rough()
    answers = outward(pos)
    off = error(decided(choice(), pos, answers), answers[-1])
    assert off.median() < 1
    assert (off < 5).double().mean() > 0.95


def test_a_fit_with_witnesses_of_its_own_is_not_outvoted() -> None:
    pos, made = rough(), choice()
    lifted = torch.arange(len(pos)) % 5 == 0
    pos[:, 2] = torch.where(lifted, 0.3 * pos[:, 2].abs(), 0)
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(2, len(pos), 3)
    assert error(decided(made, pos, up), up[0])[~lifted].max() < 1
    with torch.no_grad():
        made.worth.zero_()
        made.lead[:2] = -50
    assert error(decided(made, pos, up), up[0])[~lifted].max() > 5


@pytest.mark.parametrize("facets_only", [False, True])
def test_answers_may_have_no_witnesses(facets_only: bool) -> None:
    pos, made = rough() * torch.tensor([1.0, 1.0, 0.0]), choice(facets_only=facets_only)
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(len(pos), 2, 3)
    thin, embedding = torch.zeros(len(pos), 2, dtype=torch.float64), torch.zeros(len(pos), 4, dtype=torch.float64)
    count = made.seen(Found(around(pos, made), up, thin, embedding, None, None)).count[..., 0]
    assert bool((count[:, :3] == 0).all()) == facets_only
    assert (count[:, 3:].amax(1) > 4).all()


@pytest.mark.parametrize(("slender", "found"), [((0.001, 0.01), True), ((0.9, 1.0), False)])
def test_slender_triangles_make_no_planes(slender: tuple[float, float], found: bool, cubes: Cubes) -> None:
    pos, normal = cubes(1200)
    right = (error(decided(choice(slender=slender), pos, outward(pos)), normal) < 1).double().mean()
    assert (right > 0.8) == found


def test_near_planes_can_be_chosen() -> None:
    pos, made = rough(), choice(planes=1)
    axis = torch.nn.functional.normalize(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64), dim=0)
    planes = (0.9 * axis[:, None] * axis + 0.1 * torch.eye(3)).expand(len(pos), 1, 3, 3)
    near = MultiScalePlanes(planes, torch.zeros(len(pos), 1, 4, dtype=torch.float64))
    assert error(decided(made, pos, outward(pos), near), axis).median() > 10
    with torch.no_grad():
        made.lead[-1] = 20
    assert error(decided(made, pos, outward(pos), near), axis).max() < 0.1


def test_choices_are_equivariant() -> None:
    made, pos = choice(awake=True), rough()
    assert_equivariant(lambda cloud: decided(made, cloud, outward(cloud)), pos, "1x1", unoriented=True)


def test_choices_do_not_depend_on_parts_or_on_the_order_of_points() -> None:
    made, pos, order = choice(awake=True), rough(), torch.randperm(200)
    answers = outward(pos)
    whole = decided(made, pos, answers, size=200)
    assert torch.allclose(decided(made, pos, answers, size=7), whole, atol=1e-12)
    assert torch.allclose(decided(made, pos[order], answers[:, order]), whole[order], atol=1e-9)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9])
def test_few_points_have_an_answer(count: int) -> None:
    pos = rough(count)
    across = torch.tensor([0.1, 0.2, 1.0], dtype=torch.float64).expand(2, count, 3)  # of the plane that they lie about
    answers = torch.nn.functional.normalize(across, dim=-1)
    found = decided(choice(awake=True), pos, answers)
    assert torch.allclose(found.norm(dim=-1), torch.ones(count, dtype=torch.float64))
    assert error(decided(choice(), pos, answers), answers[-1]).max() < 5


def test_scores_and_answers_learn() -> None:
    pos, made = rough(), choice(awake=True).train()
    answers = outward(pos).requires_grad_()
    level = torch.ones(len(pos), dtype=pos.dtype)
    embedding = torch.zeros(len(pos), 4, dtype=torch.float64, requires_grad=True)
    found, _ = made(
        around(pos, made), answers, Fit(answers[-1], centre=level, thickness=level), embedding, None, len(pos)
    )
    found[:, 0].square().sum().backward()
    learned = [made.worth, made.lead, made.own.weight, made.triangle.weight, made.plain.weight, answers, embedding]
    for value in learned:
        assert value.grad is not None
        assert value.grad.isfinite().all()
        assert value.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"nearest": 1}, "pairs of 2 to 31 neighbours, got pairs of 1"),
        ({"nearest": 32}, "pairs of 2 to 31 neighbours, got pairs of 32"),
        ({"voters": 23}, "more than 23 voters, for a jet, got 23"),
        ({"answers": 0}, "answers and hidden >= 1 and planes >= 0, got 0, 24 and 0"),
        ({"planes": -1}, "got 2, 24 and -1"),
        ({"slender": (0.1, 0.01)}, r"two squared sines, ascending, for slender triangles, got \[0.1, 0.01\]"),
        ({"slender": (0.1,)}, r"got \[0.1\]"),
        ({"tolerances": (0.1, 0.01)}, r"tolerances above 0, ascending, got \[0.1, 0.01\]"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LastChoice(**{"embedding": 4, "answers": 2, **wrong})
