"""Candidate planes and their votes, before anything was learned."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tensorframes.geometry import Hierarchy, Level, nearest_neighbours
from tensorframes.normals.plane_votes import PlaneVotes, small_planes
from tensorframes.testing import assert_equivariant, random_orthogonal

Cubes = Callable[[int], tuple[Tensor, Tensor]]


def hierarchy(pos: Tensor, votes: PlaneVotes) -> Hierarchy:
    batch, rows = torch.zeros(len(pos), dtype=torch.long), torch.arange(len(pos))
    table = nearest_neighbours(pos, batch, votes.reach)
    return Hierarchy((Level(pos, batch, rows, table, table),), (), 1, table)


def tensors(pos: Tensor) -> Tensor:
    """Some tensor at every point, as a network would tell it."""
    arm = pos - pos.mean(0)
    return arm.unsqueeze(2) * arm.unsqueeze(1) - torch.eye(3, dtype=pos.dtype)


def voted(votes: PlaneVotes, pos: Tensor, size: int = 64, embedding: Tensor | None = None) -> Tensor:
    embedding = torch.zeros(len(pos), votes.own.in_features, dtype=pos.dtype) if embedding is None else embedding
    return votes(votes.plan(hierarchy(pos, votes), size), tensors(pos), embedding, size)[0]


def roof(count: int = 400) -> tuple[Tensor, Tensor]:
    """Two planes that meet at 100 degrees, and their normals."""
    generator = torch.Generator().manual_seed(2)
    u, v = (20 * torch.rand(2, count, generator=generator, dtype=torch.float64)).unbind()
    angle = torch.deg2rad(torch.tensor(50.0, dtype=torch.float64))
    side = torch.where(torch.arange(count) % 2 == 0, 1.0, -1.0).double()
    pos = torch.stack([side * u * angle.sin(), v, -u * angle.cos()], dim=1)
    normal = torch.stack([side * angle.cos(), torch.zeros(count).double(), angle.sin().expand(count)], dim=1)
    return pos, normal


def error(normal: Tensor, target: Tensor) -> Tensor:
    return torch.rad2deg((normal * target).sum(-1).abs().clamp(max=1).acos())


def test_beside_an_edge_untrained_votes_find_the_facet_where_a_plane_fit_does_not() -> None:
    torch.manual_seed(0)
    votes = PlaneVotes(4, (6, 10, 16), (12, 12, 12), triples=0).double()
    pos, normal = roof()
    found = torch.linalg.eigh(voted(votes, pos).detach())[1][..., -1]
    table = nearest_neighbours(pos, torch.zeros(len(pos), dtype=torch.long), 16)
    fitted = small_planes(pos, table, (16,)).normal[:, -1]
    beside = error(fitted, normal) > 5
    assert int(beside.sum()) > 30
    assert error(fitted, normal)[beside].median() > 15
    assert error(found, normal)[beside].median() < 3
    assert error(found, normal)[~beside].max() < 1


def test_triples_and_planes_of_four_find_facets_of_few_points(cubes: Cubes) -> None:
    pos, normal = cubes(1500)
    large = PlaneVotes(4, (6, 10, 16), (12, 12, 12), triples=0).double()
    small = PlaneVotes(4, (4, 16), (20, 8), triples=6).double()
    off = [error(torch.linalg.eigh(voted(votes, pos).detach())[1][..., -1], normal) for votes in (large, small)]
    assert (off[0] > 15).double().mean() > 0.3
    assert (off[1] > 15).double().mean() < 0.15


def test_what_was_chosen_is_told_to_the_fits() -> None:
    votes, pos, embedding = awake(), rough(), torch.randn(120, 4, dtype=torch.float64)
    search = votes.plan(hierarchy(pos, votes), 64)
    assert torch.equal(votes(search, tensors(pos), embedding, 64)[1], embedding)
    torch.nn.init.normal_(votes.chosen.weight)
    assert (votes(search, tensors(pos), embedding, 64)[1] != embedding).any(1).all()


def rough(count: int = 120) -> Tensor:
    return roof(count)[0] + 0.1 * torch.randn(count, 3, dtype=torch.float64)


def awake() -> PlaneVotes:
    torch.manual_seed(1)
    return PlaneVotes(4, (4, 8), (7, 5), triples=4, voters=20).double()


def test_votes_are_equivariant_tensors() -> None:
    votes, pos, embedding = awake(), rough(), torch.randn(120, 4, dtype=torch.float64)
    assert_equivariant(lambda cloud: voted(votes, cloud, embedding=embedding).flatten(1), pos, "1x2")


def test_votes_do_not_depend_on_parts_or_order() -> None:
    votes, pos, embedding = awake(), rough(), torch.randn(120, 4, dtype=torch.float64)
    whole, order = voted(votes, pos, 120, embedding), torch.randperm(120)
    assert torch.allclose(voted(votes, pos, 7, embedding), whole, atol=1e-12)
    assert torch.allclose(voted(votes, pos[order], 50, embedding[order]), whole[order], atol=1e-9)


def test_votes_stay_in_full_precision() -> None:
    """Under autocast the network's scores are rounded to three digits, but no plane is."""
    votes, pos, embedding = awake().float(), rough().float(), torch.randn(120, 4)
    turn = random_orthogonal(1, determinant=-1)[0].float()
    turned = pos @ turn.T
    full = voted(votes, pos, embedding=embedding)
    with torch.autocast("cpu", torch.bfloat16):
        here, there = voted(votes, pos, embedding=embedding), voted(votes, turned, embedding=embedding)
    assert here.dtype == torch.float32
    assert (here - full).abs().max() < 0.02
    assert (turn @ here @ turn.T - there).abs().max() < 1e-3


@pytest.mark.parametrize("pos", [torch.arange(40.0).unsqueeze(1) * torch.tensor([[1.0, 2.0, 3.0]]), torch.zeros(1, 3)])
def test_points_on_a_line_vote_for_nothing(pos: Tensor) -> None:
    votes = PlaneVotes(4).double()
    search = votes.plan(hierarchy(pos.double(), votes), 64)
    assert (votes.candidates(search, search.table, tensors(pos.double())).sound == 0).all()
    assert (voted(votes, pos.double()) == 0).all()


def test_points_of_a_grid_in_line_do_not_silence_the_others() -> None:
    """A point between its two neighbours makes no plane with them, though all points lie in it, as in every one."""
    votes = PlaneVotes(4).double()
    u, v = torch.meshgrid(torch.arange(12.0), torch.arange(12.0), indexing="ij")
    rough = 0.3 * torch.randn(144, generator=torch.Generator().manual_seed(0))
    pos = torch.stack([u.flatten(), v.flatten(), rough], dim=1).double()
    pos[60:63, 2] = 0  # three in line
    search = votes.plan(hierarchy(pos, votes), 64)
    assert (votes.candidates(search, search.table[61:62], tensors(pos)[61:62]).sound == 0).any()
    found = voted(votes, pos).diagonal(dim1=1, dim2=2).sum(-1)
    assert found.min() > 0.5 * found.median()


def test_fewer_points_than_a_plane_asks_for_are_enough() -> None:
    votes = PlaneVotes(4).double()
    pos = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [3, 1, 0]], dtype=torch.float64)
    found = voted(votes, pos)
    assert torch.allclose(torch.linalg.eigh(found.detach())[1][..., -1].abs(), torch.tensor([0.0, 0, 1]).double())


def test_the_network_s_tensor_counts_among_the_candidates() -> None:
    votes, pos, embedding = awake(), rough(), torch.randn(120, 4, dtype=torch.float64)
    search = votes.plan(hierarchy(pos, votes), 64)
    here, there = (votes.candidates(search, search.table, sign * tensors(pos)) for sign in (1, -1))
    assert torch.equal(here.known[..., :-1], there.known[..., :-1])
    assert torch.equal(here.known[..., -1], -there.known[..., -1])
    assert here.known[..., -1].abs().max() <= 1
    assert torch.isfinite(votes(search, torch.zeros(120, 3, 3).double(), embedding, 64)[0]).all()


def test_fine_tolerances_tell_a_facet_from_points_hardly_off_it() -> None:
    """Two sheets through one line, at 3 degrees: heights across it are a few hundredths of the neighbourhood's size."""
    generator, angle = torch.Generator().manual_seed(0), torch.tensor(3.0).deg2rad().double()
    pos = 2 * torch.rand(800, 3, generator=generator, dtype=torch.float64) - 1
    pos[:, 2] = torch.where(pos[:, 0] > 0, angle.tan() * pos[:, 0], 0)
    normal = torch.where(pos[:, :1] > 0, torch.stack([-angle.sin(), 0 * angle, angle.cos()]), pos.new_tensor([0, 0, 1]))
    off = []
    for tolerances in ((0.001, 0.004, 0.02, 0.1), (0.02, 0.1)):
        votes = PlaneVotes(4, tolerances=tolerances).double()
        off.append(error(torch.linalg.eigh(voted(votes, pos).detach())[1][..., -1], normal).square().mean().sqrt())
    assert off[0] < off[1] / 2


def test_tolerances_are_above_zero_and_ascend() -> None:
    for wrong in ((), (0.0, 0.1), (0.1, 0.02), (0.02, 0.02)):
        with pytest.raises(ValueError, match="expected tolerances above 0, ascending"):
            PlaneVotes(4, tolerances=wrong)
