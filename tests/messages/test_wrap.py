"""Way 2: PyG's convolutions untouched, one by one and inside networks."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch_geometric.nn import (
    GAT,
    EdgeConv,
    GATv2Conv,
    GCNConv,
    GraphSAGE,
    MessagePassing,
    PointTransformerConv,
    SAGEConv,
)

from tensorframes.frames import Frames, LearnedFrames
from tensorframes.geometry import knn_graph
from tensorframes.messages import InLocalFrames, TensorMessages, in_local_frames, refusal
from tensorframes.reps import TensorReps
from tensorframes.testing import Layer, assert_equivariant, assert_transports, random_orthogonal
from tests.marks import slow_except
from tests.messages.pyg_table import DOCS, TABLE, Accepted, W, classes, document, without_version

REPS = TensorReps("2x0 + 2x1")  # W numbers
ACCEPTED = sorted(name for name, entry in TABLE.items() if isinstance(entry, Accepted))
REFUSED = sorted(name for name, entry in TABLE.items() if not isinstance(entry, Accepted))


def compiles(name: str) -> bool:
    return TABLE[name].compiles


def made(name: str) -> MessagePassing:
    torch.manual_seed(1)
    return TABLE[name].build(name).double().eval()


def inputs(name: str, edges: int, pos: tuple[Tensor, Tensor]) -> dict[str, Tensor | tuple[Tensor, Tensor]]:
    """What a convolution takes besides x, invariant but for positions and normals; the same at each call."""
    drawn = torch.Generator().manual_seed(3)
    everything = {
        "edge_attr": torch.rand(edges, 3, dtype=torch.float64, generator=drawn),
        "edge_weight": torch.rand(edges, dtype=torch.float64, generator=drawn),
        "edge_type": torch.randint(2, (edges,), generator=drawn),
        "pos": pos,
        "normal": tuple(torch.nn.functional.normalize(p - p.mean(0), dim=-1) for p in pos),
    }
    return {key: everything[key] for key in TABLE[name].takes}


def cloud(count: int = 14) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    pos = torch.randn(count, 3, dtype=torch.float64, generator=generator)
    return pos, torch.randn(count, W, dtype=torch.float64, generator=generator), knn_graph(pos, 5)


def test_the_table_holds_every_convolution_of_pyg() -> None:
    assert sorted(classes()) == sorted(TABLE)


def test_the_documentation_shows_the_table() -> None:
    assert without_version(DOCS.read_text()) == without_version(document())


@pytest.mark.parametrize("name", ACCEPTED)
def test_with_identity_frames_nothing_changes(name: str) -> None:
    conv, (pos, x, edge_index) = made(name), cloud()
    rest = inputs(name, edge_index.shape[1], (pos, pos))
    plain = conv(x=(x, x), edge_index=edge_index, **rest)
    found = InLocalFrames(conv, REPS)(x, edge_index, Frames.identity(len(pos), like=pos), **rest)
    assert torch.allclose(found, plain)


def sent(name: str) -> Layer:
    """A wrapped convolution as ``assert_transports`` takes it."""
    wrapped, takes = InLocalFrames(made(name), REPS), TABLE[name].takes
    fixed = inputs(name, 28, (torch.zeros(1, 3), torch.zeros(1, 3)))

    def layer(x: Tensor, edge_index: Tensor, pos: tuple[Tensor, Tensor], *frames: Frames) -> Tensor:
        receivers = torch.ones(len(pos[1]), W, dtype=x.dtype)
        places = {key: value for key, value in {"pos": pos, "normal": pos}.items() if key in takes}
        return wrapped((x, receivers), edge_index, frames, **{**fixed, **places})

    return layer


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_sent_arrives(name: str) -> None:
    assert_transports(sent(name), REPS, compile_modes=(False,))


@pytest.mark.parametrize("name", slow_except(["PointTransformerConv"], filter(compiles, ACCEPTED)))
def test_what_is_sent_arrives_compiled(name: str) -> None:
    assert_transports(sent(name), REPS, compile_modes=(True,))


@pytest.mark.parametrize("name", ACCEPTED)
def test_convolutions_are_equivariant(name: str) -> None:
    wrapped = InLocalFrames(made(name), REPS)

    def convolved(pos: Tensor) -> Tensor:
        edge_index = knn_graph(pos, 5)
        frames = finder(pos, edge_index)
        rest = inputs(name, edge_index.shape[1], (pos, pos))
        return frames.to_world(wrapped(frames.to_local(vectors, REPS_IN), edge_index, frames, **rest), REPS)

    finder = LearnedFrames("o").double()
    pos, x, _ = cloud()
    REPS_IN, vectors = TensorReps(f"{W}x0"), x
    assert_equivariant(convolved, pos, REPS)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused(name: str) -> None:
    entry = TABLE[name]
    if entry.arguments is None:
        pytest.skip(f"{name} cannot be built here: {entry.why}")
    assert refusal(made(name)) is not None
    with pytest.raises(ValueError, match=f"expected a convolution that works in local frames, got {name}"):
        InLocalFrames(made(name), REPS)


@pytest.mark.parametrize(
    "name", ["GATConv", "GATv2Conv", "PointNetConv", "PointTransformerConv", "PPFConv", "FeaStConv"]
)
def test_self_loops_are_refused_or_added_before_senders_are_copied(name: str) -> None:
    entry, (pos, x, edge_index) = TABLE[name], cloud()
    torch.manual_seed(0)
    looping = Accepted(entry.arguments.replace("add_self_loops=False", "add_self_loops=True")).build(name).double()
    rest = inputs(name, edge_index.shape[1], (pos, pos))
    expected = looping(x=(x, x), edge_index=edge_index, **rest)
    with pytest.raises(ValueError, match="add_self_loops=True would join edge k to point k"):
        InLocalFrames(looping, REPS)
    looping.add_self_loops = False
    found = InLocalFrames(looping, REPS, self_loops=True)(x, edge_index, Frames.identity(len(pos), like=pos), **rest)
    assert torch.allclose(found, expected)


def test_turned_edges_are_refused() -> None:
    with pytest.raises(ValueError, match="turn edge_index around"):
        InLocalFrames(EdgeConv(torch.nn.Linear(2 * W, W), flow="target_to_source"), REPS)


def test_tensors_on_edges_are_seen_from_the_receiver() -> None:
    torch.manual_seed(0)
    conv = InLocalFrames(GATv2Conv((W, W), W, add_self_loops=False, edge_dim=3).double(), REPS, edge_reps="1x1")
    finder = LearnedFrames("o").double()
    scalars = cloud()[1]

    def convolved(pos: Tensor) -> Tensor:
        edge_index = knn_graph(pos, 5)
        frames = finder(pos, edge_index)
        edge_attr = pos[edge_index[0]] - pos[edge_index[1]]
        return frames.to_world(conv(scalars, edge_index, frames, edge_attr=edge_attr), REPS)

    assert_equivariant(convolved, cloud()[0], REPS)


class Network(torch.nn.Module):
    """A user's own: an attention, and a graph attention with loops or what is given."""

    def __init__(self, last: torch.nn.Module | None = None) -> None:
        super().__init__()
        self.start = torch.nn.Linear(4, 16)
        self.convs = torch.nn.ModuleList([PointTransformerConv((16, 16), 16), last or GATv2Conv(16, 24, edge_dim=1)])
        self.norm = torch.nn.LayerNorm(16)

    def forward(self, x: Tensor, pos: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        x = self.norm(self.convs[0](self.start(x), pos, edge_index).relu())
        return self.convs[1](x, edge_index, edge_attr)


def of_positions(network: torch.nn.Module) -> Callable[[Tensor], Tensor]:
    """The converted network with all else that it takes, from positions."""
    finder, scalars = LearnedFrames("o").double(), torch.randn(14, 4, dtype=torch.float64)

    def run(pos: Tensor) -> Tensor:
        edge_index = knn_graph(pos, 5)
        length = (pos[edge_index[0]] - pos[edge_index[1]]).norm(dim=-1, keepdim=True)
        return network(scalars, pos, edge_index, length, frames=finder(pos, edge_index))

    return run


def test_a_network_is_converted_and_equivariant_loops_included() -> None:
    torch.manual_seed(0)
    network = in_local_frames(Network().double(), TensorMessages())
    assert network.converted == ["convs.0", "convs.1"]
    assert network.refused == {}
    assert_equivariant(of_positions(network), cloud()[0], TensorReps("24x0"))


@pytest.mark.slow
def test_a_converted_network_compiles() -> None:
    torch.manual_seed(0)
    run = of_positions(in_local_frames(Network().double(), TensorMessages()))
    torch.compiler.reset()
    compiled = torch.compile(run, backend="aot_eager")
    assert torch.allclose(compiled(cloud()[0]), run(cloud()[0]))


def test_the_converted_network_with_identity_frames_is_the_network() -> None:
    pos, _, edge_index = cloud()
    torch.manual_seed(0)
    network, x, length = Network().double(), torch.randn(14, 4).double(), torch.rand(edge_index.shape[1], 1).double()
    plain = network(x, pos, edge_index, length)
    converted = in_local_frames(network, TensorMessages())
    assert torch.allclose(converted(x, pos, edge_index, length, frames=Frames.identity(14, like=pos)), plain)
    frames = Frames(random_orthogonal(14))
    assert not torch.allclose(converted(x, pos, edge_index, length, frames=frames), plain)
    with pytest.raises(ValueError, match="which brings the frames"):
        network(x, pos, edge_index, length)


@pytest.mark.parametrize("model", [GraphSAGE, GAT])
def test_models_of_pyg_are_converted(model: type[torch.nn.Module]) -> None:
    torch.manual_seed(0)
    extra = {"v2": True} if model is GAT else {}
    network = in_local_frames(model(W, 16, 2, 8, **extra).double().eval(), TensorMessages())
    assert len(network.converted) == 2
    pos, x, edge_index = cloud()
    assert network(x, edge_index, frames=Frames.identity(14, like=pos)).shape == (14, 8)


def test_all_that_cannot_be_converted_is_named() -> None:
    with pytest.raises(ValueError, match=r"convs\.1: GCNConv: it takes no pair"):
        in_local_frames(Network(GCNConv(16, 24, add_self_loops=False)), TensorMessages())
    network = in_local_frames(Network(GCNConv(16, 24, add_self_loops=False)), TensorMessages(), partial=True)
    assert list(network.refused) == ["convs.1"]
    with pytest.raises(ValueError, match="expected a network with PyG convolutions, got none in Linear"):
        in_local_frames(torch.nn.Linear(3, 3), TensorMessages())


def test_a_convolution_that_stands_in_two_places_stays_one() -> None:
    inner = SAGEConv((W, W), W)
    network = torch.nn.ModuleDict({"a": torch.nn.ModuleList([inner]), "b": torch.nn.ModuleList([inner])})
    converted = in_local_frames(network, REPS)
    assert network["a"][0] is network["b"][0]
    assert converted.converted == ["a.0", "b.0"]
