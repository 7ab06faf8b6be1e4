"""The selection among small planes, at initialisation."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tensorframes.geometry import Hierarchy, Level, nearest_neighbours
from tensorframes.normals.small_plane_selection import SmallPlaneSelection, planes_of_sizes
from tensorframes.testing import assert_equivariant, random_orthogonal
from tests.normals.small import error, roof

Cubes = Callable[[int], tuple[Tensor, Tensor]]


def hierarchy(pos: Tensor, selection: SmallPlaneSelection) -> Hierarchy:
    batch, rows = torch.zeros(len(pos), dtype=torch.long), torch.arange(len(pos))
    table = nearest_neighbours(pos, batch, selection.points)
    return Hierarchy((Level(pos, batch, rows, table, table),), (), 1, table)


def tensors(pos: Tensor) -> Tensor:
    """Some tensor at every point, as of a network."""
    arm = pos - pos.mean(0)
    return arm.unsqueeze(2) * arm.unsqueeze(1) - torch.eye(3, dtype=pos.dtype)


def mean_plane(selection: SmallPlaneSelection, pos: Tensor, size: int = 64, embedding: Tensor | None = None) -> Tensor:
    if embedding is None:
        embedding = torch.zeros(len(pos), selection.point_layer.in_features, dtype=pos.dtype)
    return selection(selection.plan(hierarchy(pos, selection), size), tensors(pos), embedding, size)[0]


def normals(selection: SmallPlaneSelection, pos: Tensor) -> Tensor:
    return torch.linalg.eigh(mean_plane(selection, pos).detach())[1][..., -1]


def test_at_initialisation_the_facet_beside_an_edge_is_found_where_a_plane_fit_is_wrong() -> None:
    torch.manual_seed(0)
    selection = SmallPlaneSelection(4, (6, 10, 16), (12, 12, 12), sample_neighbours=0).double()
    pos, normal = roof()
    found = normals(selection, pos)
    table = nearest_neighbours(pos, torch.zeros(len(pos), dtype=torch.long), 16)
    fitted = planes_of_sizes(pos, table, (16,)).normal[:, -1]
    beside = error(fitted, normal) > 5
    assert int(beside.sum()) > 30
    assert error(fitted, normal)[beside].median() > 15
    assert error(found, normal)[beside].median() < 3
    assert error(found, normal)[~beside].max() < 1


def test_sample_neighbours_and_planes_of_four_points_find_facets_of_few_points(cubes: Cubes) -> None:
    pos, normal = cubes(1500)
    large = SmallPlaneSelection(4, (6, 10, 16), (12, 12, 12), sample_neighbours=0).double()
    small = SmallPlaneSelection(4, (4, 16), (20, 8), sample_neighbours=6).double()
    off = [error(normals(selection, pos), normal) for selection in (large, small)]
    assert (off[0] > 15).double().mean() > 0.3
    assert (off[1] > 15).double().mean() < 0.15


def test_features_of_the_candidates_are_added_to_the_embedding() -> None:
    selection, pos, embedding = trained(), rough(), torch.randn(120, 4, dtype=torch.float64)
    planes = selection.plan(hierarchy(pos, selection), 64)
    assert torch.equal(selection(planes, tensors(pos), embedding, 64)[1], embedding)
    torch.nn.init.normal_(selection.feature_layer.weight)
    assert (selection(planes, tensors(pos), embedding, 64)[1] != embedding).any(1).all()


def rough(count: int = 120) -> Tensor:
    return roof(count)[0] + 0.1 * torch.randn(count, 3, dtype=torch.float64)


def trained() -> SmallPlaneSelection:
    torch.manual_seed(1)
    return SmallPlaneSelection(4, (4, 8), (7, 5), sample_neighbours=4, points=20).double()


def test_mean_planes_are_equivariant_tensors() -> None:
    selection, pos, embedding = trained(), rough(), torch.randn(120, 4, dtype=torch.float64)
    assert_equivariant(lambda cloud: mean_plane(selection, cloud, embedding=embedding).flatten(1), pos, "1x2")


def test_mean_planes_do_not_depend_on_chunks_or_order() -> None:
    selection, pos, embedding = trained(), rough(), torch.randn(120, 4, dtype=torch.float64)
    whole, order = mean_plane(selection, pos, 120, embedding), torch.randperm(120)
    assert torch.allclose(mean_plane(selection, pos, 7, embedding), whole, atol=1e-12)
    assert torch.allclose(mean_plane(selection, pos[order], 50, embedding[order]), whole[order], atol=1e-9)


def test_mean_planes_stay_in_full_precision() -> None:
    """Under autocast the network's scores are rounded to three digits, but no plane is."""
    selection, pos, embedding = trained().float(), rough().float(), torch.randn(120, 4)
    turn = random_orthogonal(1, determinant=-1)[0].float()
    turned = pos @ turn.T
    full = mean_plane(selection, pos, embedding=embedding)
    with torch.autocast("cpu", torch.bfloat16):
        here, there = (mean_plane(selection, cloud, embedding=embedding) for cloud in (pos, turned))
    assert here.dtype == torch.float32
    assert (here - full).abs().max() < 0.02
    assert (turn @ here @ turn.T - there).abs().max() < 1e-3


@pytest.mark.parametrize("pos", [torch.arange(40.0).unsqueeze(1) * torch.tensor([[1.0, 2.0, 3.0]]), torch.zeros(1, 3)])
def test_collinear_points_have_no_plane(pos: Tensor) -> None:
    selection = SmallPlaneSelection(4).double()
    planes = selection.plan(hierarchy(pos.double(), selection), 64)
    assert (selection.candidates(planes, planes.table, tensors(pos.double())).validity == 0).all()
    assert (mean_plane(selection, pos.double()) == 0).all()


def test_collinear_points_of_a_grid_do_not_hide_its_planes() -> None:
    """A point between its two neighbours defines no plane with them, though all three lie in any plane through them."""
    selection = SmallPlaneSelection(4).double()
    u, v = torch.meshgrid(torch.arange(12.0), torch.arange(12.0), indexing="ij")
    rough = 0.3 * torch.randn(144, generator=torch.Generator().manual_seed(0))
    pos = torch.stack([u.flatten(), v.flatten(), rough], dim=1).double()
    pos[60:63, 2] = 0  # three in line
    planes = selection.plan(hierarchy(pos, selection), 64)
    assert (selection.candidates(planes, planes.table[61:62], tensors(pos)[61:62]).validity == 0).any()
    found = mean_plane(selection, pos).diagonal(dim1=1, dim2=2).sum(-1)
    assert found.min() > 0.5 * found.median()


def test_clouds_smaller_than_a_neighbourhood_have_planes() -> None:
    selection = SmallPlaneSelection(4).double()
    pos = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [3, 1, 0]], dtype=torch.float64)
    assert torch.allclose(normals(selection, pos).abs(), torch.tensor([0.0, 0, 1]).double())


def test_the_last_feature_is_the_agreement_with_the_tensor_of_the_network() -> None:
    selection, pos, embedding = trained(), rough(), torch.randn(120, 4, dtype=torch.float64)
    planes = selection.plan(hierarchy(pos, selection), 64)
    here, there = (selection.candidates(planes, planes.table, sign * tensors(pos)) for sign in (1, -1))
    assert torch.equal(here.features[..., :-1], there.features[..., :-1])
    assert torch.equal(here.features[..., -1], -there.features[..., -1])
    assert here.features[..., -1].abs().max() <= 1
    assert torch.isfinite(selection(planes, torch.zeros(120, 3, 3).double(), embedding, 64)[0]).all()


def test_small_tolerances_separate_facets_at_small_angles() -> None:
    """Two sheets through one line, at 3 degrees: heights across it are a few hundredths of the neighbourhood's size."""
    generator, angle = torch.Generator().manual_seed(0), torch.tensor(3.0).deg2rad().double()
    pos = 2 * torch.rand(800, 3, generator=generator, dtype=torch.float64) - 1
    pos[:, 2] = torch.where(pos[:, 0] > 0, angle.tan() * pos[:, 0], 0)
    normal = torch.where(pos[:, :1] > 0, torch.stack([-angle.sin(), 0 * angle, angle.cos()]), pos.new_tensor([0, 0, 1]))
    off = []
    for tolerances in ((0.001, 0.004, 0.02, 0.1), (0.02, 0.1)):
        selection = SmallPlaneSelection(4, tolerances=tolerances).double()
        off.append(error(normals(selection, pos), normal).square().mean().sqrt())
    assert off[0] < off[1] / 2


def test_tolerances_are_above_zero_and_ascend() -> None:
    for wrong in ((), (0.0, 0.1), (0.1, 0.02), (0.02, 0.02)):
        with pytest.raises(ValueError, match="expected tolerances above 0, ascending"):
            SmallPlaneSelection(4, tolerances=wrong)
