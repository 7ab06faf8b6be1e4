import math
import pickle

import pytest
import torch

from tensorframes.reps import Irreps, TensorBlock, TensorReps, representation
from tensorframes.reps.rotate import determinant
from tensorframes.testing import random_orthogonal


def naive(reps: TensorReps, x: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    """rho(g) x for one feature and one matrix: a Kronecker product for every single tensor."""
    out, start = [], 0
    for mul, order, pseudo in reps.blocks:
        rho = torch.ones(1, 1, dtype=x.dtype)
        for _ in range(order):
            rho = torch.kron(rho, g)
        if pseudo:
            rho = rho * torch.linalg.det(g)
        for _ in range(mul):
            out.append(rho @ x[start : start + rho.shape[0]])
            start += rho.shape[0]
    return torch.cat(out)


@pytest.mark.parametrize("d", [2, 3, 4])
@pytest.mark.parametrize(
    "spec", ["3x0", "2x1", "2x1 + 2x1p", "1x1p + 2x1 + 1x0p + 1x0", "1x3p + 2x2 + 2x2p + 3", "4x2"]
)
@pytest.mark.parametrize("proper", [True, False])
def test_transform_agrees_with_kronecker_products(d: int, spec: str, proper: bool) -> None:
    reps = TensorReps(spec, d=d)
    g = random_orthogonal(5, d=d, determinant=1 if proper else -1)
    x = torch.randn(5, reps.dim, dtype=torch.float64)
    expected = torch.stack([naive(reps, x[i], g[i]) for i in range(5)])
    assert torch.allclose(reps.transform(x, g), expected, atol=1e-12)


@pytest.mark.parametrize("lead", [(4,), (2, 3), ()])
def test_compiled_it_is_the_same_with_the_same_gradients(lead: tuple[int, ...]) -> None:
    reps = TensorReps("2x0 + 3x1 + 1x1p + 7x2 + 2x3")
    g = random_orthogonal(math.prod(lead)).reshape(*lead, 3, 3).requires_grad_()
    x = torch.randn(*lead, 5, reps.dim, dtype=torch.float64, requires_grad=True)
    found = []
    for transform in (reps.transform, torch.compile(reps.transform, backend="aot_eager", fullgraph=True)):
        y = transform(x, g)
        found.append((y, *torch.autograd.grad((y * y.detach().sin()).sum(), (x, g))))
    for eager, compiled in zip(*found, strict=True):
        torch.testing.assert_close(compiled, eager, rtol=1e-10, atol=1e-12)


def test_messages_of_a_graph_without_edges_are_empty() -> None:
    reps = TensorReps("2x0 + 3x1 + 1x1p + 7x2 + 2x3")
    for transform in (reps.transform, torch.compile(reps.transform, backend="aot_eager", fullgraph=True)):
        for shape in ((0,), (0, 4), (4, 0)):
            x = torch.zeros(*shape, reps.dim)
            assert transform(x, torch.zeros(*shape[:1], 3, 3)).shape == x.shape


@pytest.mark.parametrize("d", [2, 3, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_determinants_are_exactly_one_or_minus_one(d: int, dtype: torch.dtype) -> None:
    g = random_orthogonal(200, d).to(dtype).requires_grad_()
    assert torch.equal(determinant(g), torch.linalg.det(g.detach()).sign())
    assert determinant(g).unique().tolist() == [-1, 1]
    assert not determinant(g).requires_grad
    assert determinant(g[:0]).shape == (0,)


def test_matrices_may_be_shared_by_the_inner_dimensions_of_the_features() -> None:
    reps = TensorReps("2x0 + 1x1p + 2x2 + 1x3")
    g, x = random_orthogonal(4), torch.randn(4, 6, reps.dim, dtype=torch.float64)
    one_by_one = torch.stack([reps.transform(x[:, k], g) for k in range(6)], dim=1)
    assert torch.allclose(reps.transform(x, g), one_by_one, atol=1e-12)


def test_transform_is_a_homomorphism_and_keeps_lengths() -> None:
    reps = TensorReps("1x0p + 2x1 + 1x1p + 1x2 + 1x2p")
    g, h = random_orthogonal(3, determinant=-1), random_orthogonal(3, determinant=-1)
    x = torch.randn(3, reps.dim, dtype=torch.float64)
    twice = reps.transform(reps.transform(x, h), g)
    assert torch.allclose(twice, reps.transform(x, g @ h), atol=1e-12)
    assert torch.allclose(twice.norm(dim=-1), x.norm(dim=-1), atol=1e-12)


def test_scalars_are_not_touched() -> None:
    x = torch.randn(4, 5)
    assert TensorReps("5x0").transform(x, random_orthogonal(4).float()) is x


def test_dimension_of_the_readme() -> None:
    reps = TensorReps("32x0 + 16x1 + 4x2")
    assert (reps.dim, reps.channels, reps.max_order) == (116, 52, 2)


def test_values_add_multiply_sort_compare_hash_and_pickle() -> None:
    reps = TensorReps("2x1p + 3x0") + "1x1p"
    assert str(reps) == "2x1p + 3x0 + 1x1p"
    assert reps.sorted() == TensorReps("3x0 + 3x1p")
    assert (2 * TensorReps("1x1")).dim == 6
    assert {reps: 1}[TensorReps("2x1p + 3x0 + 1x1p")] == 1
    assert TensorReps("1x1", d=2) != TensorReps("1x1", d=3)
    assert pickle.loads(pickle.dumps(reps)) == reps
    assert TensorReps("0x1 + 2x0").blocks == (TensorBlock(2, 0, False),)
    assert TensorReps("").dim == 0
    with pytest.raises(AttributeError):
        reps.d = 4


def test_split_gives_each_block_its_own_shape() -> None:
    reps = TensorReps("2x0 + 3x1 + 1x2")
    x = torch.arange(float(reps.dim)).expand(4, -1)
    scalars, vectors, matrices = reps.split(x)
    assert (scalars.shape, vectors.shape, matrices.shape) == ((4, 2), (4, 3, 3), (4, 1, 3, 3))
    assert torch.equal(torch.cat([part.flatten(1) for part in (scalars, vectors, matrices)], 1), x)


@pytest.mark.parametrize("spec", ["32", "x1", "2y1", "2x1o", "1x1 ++ 1x0", "-1x0", "2x1e", "0e + 1o"])
def test_what_is_not_a_sum_of_tensors_is_refused(spec: str) -> None:
    if spec == "32":  # one tensor of order 32 is grammar: it must parse, not be guessed at
        assert TensorReps(spec).blocks == (TensorBlock(1, 32, False),)
        return
    with pytest.raises(ValueError, match="expected a sum like"):
        TensorReps(spec)


def test_wrong_shapes_are_refused() -> None:
    reps = TensorReps("1x1")
    with pytest.raises(ValueError, match="expected features of 3 numbers"):
        reps.transform(torch.zeros(2, 4), torch.eye(3).expand(2, 3, 3))
    with pytest.raises(ValueError, match="expected matrices"):
        reps.transform(torch.zeros(2, 3), torch.eye(3).expand(5, 3, 3))
    with pytest.raises(ValueError, match="d >= 2"):
        TensorReps("1x1", d=1)


def test_rotations_are_not_rounded_by_mixed_precision() -> None:
    reps, g = TensorReps("2x0 + 1x1 + 1x2"), random_orthogonal(5).float()
    x = torch.randn(5, reps.dim)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = reps.transform(x, g)
        half = reps.transform(x.bfloat16(), g)
    assert torch.equal(mixed, reps.transform(x, g))
    assert half.dtype == torch.float32


@pytest.mark.parametrize("blocks", [[(-3, 1)], [(2, -1)], Irreps("1x1o")])
def test_blocks_that_are_no_tensors_are_refused(blocks: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        TensorReps(blocks)  # type: ignore[arg-type]


def test_a_sum_is_not_mixed_with_one_of_another_kind() -> None:
    with pytest.raises(ValueError, match="expected a sum of Cartesian tensors, got Irreps"):
        TensorReps("1x1") + Irreps("1x1o")  # type: ignore[operator]
    with pytest.raises(ValueError, match="expected a sum of irreducible representations, got TensorReps"):
        Irreps("1x1o") + TensorReps("1x1")  # type: ignore[operator]


@pytest.mark.parametrize("reps", [TensorReps("1x0 + 1x1"), Irreps("1x0e + 1x1o")])
def test_both_representations_refuse_the_same(reps: TensorReps | Irreps) -> None:
    x, g = torch.zeros(2, 4), torch.eye(3).expand(2, 3, 3)
    with pytest.raises(ValueError, match="expected features and frames of one dtype"):
        reps.transform(x, g.double())
    with pytest.raises(ValueError, match="expected matrices"):
        reps.transform(x, g[0, 0])
    with pytest.raises(ValueError, match="expected features of 4 numbers"):
        reps.check(torch.tensor(1.0))
    with pytest.raises(AttributeError, match="is a value"):
        del reps.blocks


@pytest.mark.parametrize("spec", [5, None])
def test_what_is_no_representation_is_refused(spec: object) -> None:
    with pytest.raises(ValueError, match="expected a representation or its text, got"):
        representation(spec)  # type: ignore[arg-type]


@pytest.mark.parametrize("spec", [[(2,)], [2, 1], [(1, "1", False)], [(2, (1, 1))], 7, None], ids=str)
def test_blocks_of_another_shape_are_refused(spec: object) -> None:
    with pytest.raises(ValueError, match=r"expected a text like \"4x0 \+ 2x1\" or blocks \(mul, order, pseudo\), got"):
        TensorReps(spec)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"expected a text like \"4x0e \+ 2x1o\" or blocks \(mul, degree, parity\)"):
        Irreps(spec)  # type: ignore[arg-type]


@pytest.mark.parametrize("d", ["3", 3.0, 1, None])
def test_a_dimension_that_is_none_is_refused(d: object) -> None:
    with pytest.raises(ValueError, match="expected a space of dimension d >= 2, got d="):
        TensorReps("1x1", d=d)  # type: ignore[arg-type]
