"""Irreducible representations: a homomorphism, orthogonal, and e3nn's own matrices."""

import pickle

import pytest
import torch
from torch import Tensor

from tensorframes.reps import IrrepBlock, Irreps
from tensorframes.reps.harmonics import _coupling, coupling, coupling_on, spherical_harmonics
from tensorframes.reps.wigner import wigner_matrices
from tensorframes.testing import random_orthogonal


def sphere(count: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(count, 3, dtype=torch.float64), dim=-1)


@pytest.mark.parametrize("degree", range(7))
@pytest.mark.parametrize("determinant", [1, -1])
def test_harmonics_turn_by_wigner_matrices(degree: int, determinant: int) -> None:
    points, g = sphere(20), random_orthogonal(1, determinant=determinant)[0]
    turned = spherical_harmonics(degree, points @ g.T)
    expected = spherical_harmonics(degree, points) @ wigner_matrices(degree, g)[degree].T
    assert torch.allclose(turned, expected, atol=1e-12)
    assert torch.allclose(turned.square().sum(-1), torch.ones(20, dtype=torch.float64))


@pytest.mark.parametrize("degree", range(7))
def test_wigner_matrices_are_an_orthogonal_representation(degree: int) -> None:
    a, b = random_orthogonal(6), random_orthogonal(6)
    d_a, d_b, d_ab = (wigner_matrices(degree, g)[degree] for g in (a, b, a @ b))
    assert torch.allclose(d_ab, d_a @ d_b, atol=1e-12)
    eye = torch.eye(2 * degree + 1, dtype=torch.float64)
    assert torch.allclose(d_a @ d_a.transpose(1, 2), eye.expand_as(d_a), atol=1e-12)


def test_wigner_matrices_and_harmonics_are_e3nns() -> None:
    o3 = pytest.importorskip("e3nn.o3", reason="e3nn is not installed")
    g = random_orthogonal(5, determinant=1)
    points = sphere(9)
    for degree, matrix in enumerate(wigner_matrices(6, g)):
        expected = o3.Irrep(degree, (-1) ** degree).D_from_matrix(g)
        assert torch.allclose(matrix, expected, atol=1e-5)  # e3nn computes them from angles, with constants of float32
        theirs = o3.spherical_harmonics(degree, points, normalize=True, normalization="norm")
        assert torch.allclose(spherical_harmonics(degree, points), theirs, atol=1e-6)


@pytest.mark.parametrize("spec", ["3x0e + 2x1o + 1x2e", "1x1e + 2x1o + 1x0o + 2x3e", "4x0e", "2x2o+5x0e"])
@pytest.mark.parametrize("determinant", [1, -1])
def test_features_turn_as_e3nns(spec: str, determinant: int) -> None:
    o3 = pytest.importorskip("e3nn.o3", reason="e3nn is not installed")
    ours, theirs = Irreps(spec), o3.Irreps(spec)
    g, x = random_orthogonal(1, determinant=determinant)[0], torch.randn(4, ours.dim, dtype=torch.float64)
    assert ours.dim == theirs.dim
    expected = x @ theirs.D_from_matrix(g).to(x).T
    assert torch.allclose(ours.transform(x, g), expected, atol=1e-5)
    assert str(ours.sorted()) == str(theirs.sort().irreps.simplify()).replace("+", " + ")


@pytest.mark.parametrize(("a", "b", "c"), [(1, 1, 0), (1, 1, 1), (1, 1, 2), (2, 1, 2), (2, 2, 3), (3, 2, 4), (2, 2, 4)])
def test_couplings_are_equivariant_isometries(a: int, b: int, c: int) -> None:
    k, g = coupling(a, b, c), random_orthogonal(1, determinant=1)[0]
    d = wigner_matrices(max(a, b, c), g)
    turned = torch.einsum("ia,jb,ijm->abm", d[a], d[b], k)
    assert torch.allclose(turned, k @ d[c].T, atol=1e-10)
    flat = k.flatten(0, 1)
    assert torch.allclose(flat.T @ flat, torch.eye(2 * c + 1, dtype=torch.float64), atol=1e-10)


def test_two_vectors_couple_to_their_products() -> None:
    u, v = torch.randn(2, 3, dtype=torch.float64)
    scalar = torch.einsum("i,j,ijm->m", u, v, coupling(1, 1, 0))
    cross = torch.einsum("i,j,ijm->m", u, v, coupling(1, 1, 1))
    assert torch.allclose(scalar, (u @ v / 3**0.5).reshape(1))
    assert torch.allclose(cross.abs(), (torch.linalg.cross(u, v) / 2**0.5).abs())


def test_impossible_couplings_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a degree from 1 to 3 for 2 x 1, got 4"):
        coupling(2, 1, 4)


@pytest.mark.parametrize("spec", ["2x0e + 1x1o + 3x2e + 1x1e + 1x3o", "2x0e"])
def test_messages_of_a_graph_without_edges_are_empty(spec: str) -> None:
    reps = Irreps(spec)
    for shape in ((0,), (0, 4), (4, 0)):
        x, g = torch.zeros(*shape, reps.dim), torch.zeros(*shape[:1], 3, 3)
        assert reps.transform(x, g).shape == x.shape


def test_couplings_are_copied_once_and_for_every_mode() -> None:
    _coupling.cache_clear()
    coupling_on.cache_clear()
    with torch.inference_mode(), torch.device("meta"):
        first = coupling_on(1, 1, 2, torch.float32, torch.device("cpu"))
    assert (first.device.type, first.is_inference(), first.dtype) == ("cpu", False, torch.float32)
    assert coupling_on(1, 1, 2, torch.float32, torch.device("cpu")) is first
    assert torch.equal(first.double(), coupling(1, 1, 2).float().double())


def test_compiled_transforms_are_those_of_eager_code() -> None:
    reps = Irreps("1x0e + 2x2e + 1x3e")
    compiled = torch.compile(reps.transform, backend="aot_eager", fullgraph=True)
    x, g = torch.randn(4, 18), random_orthogonal(4).float()
    assert torch.allclose(compiled(x, g), reps.transform(x, g), atol=1e-6)


@pytest.mark.parametrize("strict", [False, True])
def test_transforms_are_exported_and_leave_no_stand_ins_behind(strict: bool) -> None:
    reps = Irreps("1x0e + 2x2e + 1x3e")

    class Turned(torch.nn.Module):
        def forward(self, x: Tensor, g: Tensor) -> Tensor:
            return reps.transform(x, g)

    x, g = torch.randn(4, 18), random_orthogonal(4).float()
    made = torch.export.export(Turned(), (x, g), strict=strict).module()
    assert torch.allclose(made(x, g), reps.transform(x, g), atol=1e-6)
    assert type(coupling_on(1, 1, 2, g.dtype, g.device)) is Tensor


def test_irreps_are_values_with_the_interface_of_tensor_reps() -> None:
    reps = Irreps("2x1o + 3x0e + 1x1o + 2x1e")
    assert (reps.dim, reps.channels, reps.max_order, reps.is_invariant) == (18, 8, 1, False)
    assert str(reps.sorted()) == "3x0e + 3x1o + 2x1e"
    assert reps + "1x2e" == Irreps("2x1o + 3x0e + 1x1o + 2x1e + 1x2e")
    assert 2 * Irreps("1x0e") == Irreps("1x0e + 1x0e")
    assert pickle.loads(pickle.dumps(reps)) == reps
    assert [part.shape for part in reps.split(torch.zeros(5, 18))] == [(5, 2, 3), (5, 3, 1), (5, 1, 3), (5, 2, 3)]
    assert Irreps("0x1o") == Irreps("")
    with pytest.raises(AttributeError, match="is a value"):
        reps.blocks = ()  # type: ignore[misc]
    with pytest.raises(ValueError, match='expected a sum like "32x0e'):
        Irreps("3x1")
    with pytest.raises(ValueError, match="expected features of 18 numbers"):
        reps.transform(torch.zeros(5, 17), torch.eye(3))


def test_rotations_are_not_rounded_by_mixed_precision() -> None:
    reps, g = Irreps("2x0e + 1x1o + 1x2e + 1x1e"), random_orthogonal(5).float()
    x = torch.randn(5, reps.dim)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = reps.transform(x, g)
    assert torch.equal(mixed, reps.transform(x, g))


def test_blocks_that_are_no_irreps_are_refused() -> None:
    for block in ((1, 1, 5), (-1, 1, -1), (1, -1, 1)):
        with pytest.raises(ValueError, match="expected blocks with mul >= 0"):
            Irreps([IrrepBlock(*block)])


def test_natural_parity_comes_first() -> None:
    assert str(Irreps("1x2o + 1x1e + 1x0o + 1x0e + 1x1o + 1x2e").sorted()).replace("1x", "") == (
        "0e + 0o + 1o + 1e + 2e + 2o"
    )
