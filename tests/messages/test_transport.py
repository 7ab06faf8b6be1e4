"""The transport of features along edges, and receivers of equal degree, whose edges are a dense table."""

import pytest
import torch

from tensorframes.frames import Frames
from tensorframes.geometry.edges import common_degree
from tensorframes.messages import FixedDegree, transport
from tensorframes.reps import TensorReps
from tensorframes.testing import random_orthogonal

REPS = TensorReps("2x0 + 1x0p + 2x1 + 1x1p + 1x2")


def test_transport_of_scalars_is_a_gather() -> None:
    x, edge_index = torch.randn(4, 3), torch.tensor([[2, 0], [1, 3]])
    frames = Frames(random_orthogonal(4).float())
    assert torch.equal(transport(x, TensorReps("3x0"), edge_index, frames, frames), x[[2, 0]])


@pytest.mark.parametrize("aggr", ["max", "mean", "sum"])
def test_fixed_degree_agrees_with_the_scatter(aggr: str) -> None:
    from torch_geometric.nn.aggr import MaxAggregation, MeanAggregation, SumAggregation

    x, index = torch.randn(12, 5), torch.arange(4).repeat_interleave(3)
    expected = {"max": MaxAggregation, "mean": MeanAggregation, "sum": SumAggregation}[aggr]()(x, index)
    assert torch.allclose(FixedDegree(aggr, 3)(x, index, dim_size=4), expected)
    with pytest.raises(ValueError, match="expected 3 edges for each of 5"):
        FixedDegree(aggr, 3)(x, index, dim_size=5)


@pytest.mark.parametrize("degree", [None, 5], ids=["scatter", "fixed"])
def test_gradients_of_the_transport_are_not_rounded_by_mixed_precision(degree: int | None) -> None:
    torch.manual_seed(0)
    matrices, x = random_orthogonal(14).float(), torch.randn(14, REPS.dim)
    receiver = torch.arange(14).repeat_interleave(5)
    edges = torch.stack([torch.randint(14, (70,)), receiver if degree else receiver[torch.randperm(70)]])
    seen = torch.randn(70, REPS.dim)
    found = []
    for dtype, mixed in ((torch.float64, False), (torch.float32, True)):
        given = x.to(dtype).requires_grad_(), matrices.to(dtype).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            out = transport(given[0], REPS, edges, Frames(given[1]), Frames(given[1]))
        found.append([out, *torch.autograd.grad((out * seen.to(dtype)).sum(), given)])
    for mixed, exact in zip(found[1], found[0], strict=True):
        torch.testing.assert_close(mixed, exact.float(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [torch.int32, torch.int64])
def test_orders_are_found_in_any_integers(kind: torch.dtype) -> None:
    index = torch.arange(4, dtype=kind).repeat_interleave(3)
    assert common_degree(index, 4) == 3
    assert common_degree(torch.stack([index, index], dim=1)[:, 1], 4) == 3
    assert common_degree(index.flip(0), 4) is None
