"""torch.compile with its default backend, which needs a C++ compiler: a convolution, and a backbone with gradients."""

import shutil

import pytest
import torch
from torch import Tensor
from torch_geometric.nn import GIN, GATv2Conv

from tensorframes.backbones import PointNet2, SetAbstraction
from tensorframes.frames import Frames
from tensorframes.messages import InLocalFrames, TensorMessages, in_local_frames
from tensorframes.reps import TensorReps
from tensorframes.testing import random_orthogonal

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++", "c++"))), reason="no C++ compiler on this machine"),
]


@pytest.fixture(autouse=True)
def forgotten() -> None:
    torch.compiler.reset()
    torch.manual_seed(0)


def test_a_convolution_transports() -> None:
    reps, out = TensorReps("4x0 + 2x1 + 1x1p + 1x2"), TensorReps("8x0")
    layer = SetAbstraction(reps, out, degree=4).double()
    compiled = torch.compile(layer, fullgraph=True)
    x, pos = torch.randn(12, reps.dim).double(), (torch.randn(12, 3).double(), torch.randn(7, 3).double())
    edge_index = torch.stack([torch.arange(28) % 12, torch.arange(7).repeat_interleave(4)])
    sender, receiver, turn = Frames(random_orthogonal(12)), Frames(random_orthogonal(7)), random_orthogonal(12)
    eager = layer(x, edge_index, pos, (sender, receiver))
    outputs = compiled(x, edge_index, pos, (sender, receiver))
    turned = compiled(reps.transform(x, turn), edge_index, pos, (Frames(turn @ sender.matrices), receiver))
    torch.testing.assert_close(outputs, eager, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(turned, eager, rtol=1e-10, atol=1e-12)
    forgotten = compiled(reps.transform(x, turn), edge_index, pos, (sender, receiver))
    assert (forgotten - eager).abs().max() > 1e-3


def test_a_backbone_gives_the_same_numbers_and_gradients() -> None:
    network = PointNet2(widths=(16, 24), radii=(1.5,), neighbours=8).double()
    hierarchy = network.plan(2 * torch.randn(60, 3).double(), torch.zeros(60, dtype=torch.long))
    frames = [Frames(random_orthogonal(len(level))) for level in hierarchy.levels]

    def run(call: torch.nn.Module) -> list[Tensor]:
        network.zero_grad()
        out = call(hierarchy, frames)[0]
        out.square().sum().backward()
        return [out.detach(), *(p.grad.clone() for p in network.parameters() if p.grad is not None)]

    for eager, compiled in zip(run(network), run(torch.compile(network, fullgraph=True)), strict=True):
        torch.testing.assert_close(compiled, eager, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("kind", ["convolution", "network"])
def test_pygs_own_in_local_frames_give_the_same_numbers_and_gradients(kind: str) -> None:
    width, reps = 8, TensorReps("2x0 + 2x1")
    if kind == "convolution":
        network: torch.nn.Module = InLocalFrames(GATv2Conv((width, width), width, add_self_loops=False), reps)
    else:
        network = in_local_frames(GIN(width, 16, 3, width, jk="cat"), TensorMessages())
    network = network.double()
    edge_index = torch.stack([torch.randint(20, (80,)), torch.arange(20).repeat_interleave(4)])
    x, frames = torch.randn(20, width).double(), Frames(random_orthogonal(20))
    compiled = torch.compile(network)
    found = []
    for call in (network, compiled):
        given = x.clone().requires_grad_()
        out = call(given, edge_index, frames=frames)
        found.append((out, *torch.autograd.grad(out.square().sum(), [given, *network.parameters()])))
    for value, eager in zip(found[1], found[0], strict=True):
        torch.testing.assert_close(value, eager, rtol=1e-8, atol=1e-10)
