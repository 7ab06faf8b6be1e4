"""Way 2 for networks: converted where they stand, with the keys of their state."""

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from threading import Barrier

import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from torch_geometric.nn import (
    GAT,
    GATv2Conv,
    GCNConv,
    GraphSAGE,
    HGTConv,
    MessagePassing,
    PointTransformerConv,
    SAGEConv,
)

from tensorframes.frames import Frames, LearnedFrames
from tensorframes.geometry import knn_graph
from tensorframes.messages import InLocalFrames, TensorMessages, in_local_frames
from tensorframes.reps import TensorReps
from tensorframes.testing import assert_equivariant, random_orthogonal
from tests.messages.cloud import REPS, W, cloud


class Network(torch.nn.Module):
    """A user's own: an attention, a plain convolution, a graph attention with loops."""

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
    several = torch.nn.ModuleList([HGTConv(W, W, (["a"], [("a", "to", "a")]))])
    with pytest.raises(ValueError, match="HGTConv: it takes several graphs at once; use HeteroConv"):
        in_local_frames(several, TensorMessages())


def test_a_convolution_that_stands_in_two_places_stays_one() -> None:
    inner = SAGEConv((W, W), W)
    network = torch.nn.ModuleDict({"a": torch.nn.ModuleList([inner]), "b": torch.nn.ModuleList([inner])})
    converted = in_local_frames(network, REPS)
    assert network["a"][0] is network["b"][0]
    assert converted.converted == ["a.0", "b.0"]


def test_what_stands_in_two_places_is_converted_in_both() -> None:
    conv, block = SAGEConv((W, W), W).double(), torch.nn.ModuleList([SAGEConv((W, W), W)]).double()
    network = torch.nn.ModuleDict({"twice": torch.nn.ModuleList([conv, conv]), "a": block, "b": block})
    assert in_local_frames(network, REPS).converted == ["twice.0", "twice.1", "a.0", "b.0"]
    assert network["twice"][0] is network["twice"][1]
    assert isinstance(network["a"][0].inner.conv, SAGEConv)


class Nested(torch.nn.Module):
    """Convolutions of several depths, and norms with buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Network()  # the name that the wrapper uses
        self.inner = torch.nn.ModuleDict({"conv": GAT(W, 16, 2, 8, v2=True, norm="batch")})


@pytest.mark.parametrize("make", [lambda: GraphSAGE(W, 16, 2, 8, norm="batch"), Network, Nested])
def test_the_state_is_that_of_the_plain_network(make) -> None:
    plain, wrapped = make().double(), in_local_frames(make().double(), TensorMessages())
    state = plain.state_dict()
    assert list(wrapped.state_dict()) == list(state)
    assert wrapped.state_dict()._metadata.keys() <= state._metadata.keys()
    assert not all(torch.equal(value, state[key]) for key, value in wrapped.state_dict().items())
    wrapped.load_state_dict(state)
    assert all(torch.equal(value, state[key]) for key, value in wrapped.state_dict().items())
    again = make().double()
    again.load_state_dict(wrapped.state_dict())
    assert all(torch.equal(value, state[key]) for key, value in again.state_dict().items())
    copied = deepcopy(wrapped)
    copied.load_state_dict(make().double().state_dict())
    assert all(torch.equal(value, state[key]) for key, value in wrapped.state_dict().items())
    with pytest.raises(RuntimeError, match=r"Unexpected key\(s\) in state_dict: .*nothing"):
        wrapped.load_state_dict({**state, "nothing": torch.zeros(1)})
    del state[next(iter(state))]
    with pytest.raises(RuntimeError, match=r"Missing key\(s\) in state_dict"):
        wrapped.load_state_dict(state)


def test_a_state_loads_into_a_converted_network_that_then_answers_alike() -> None:
    pos, x, edge_index = cloud()
    plain = GraphSAGE(W, 16, 2, 8).double()
    wrapped = in_local_frames(GraphSAGE(W, 16, 2, 8).double(), TensorMessages())
    wrapped.load_state_dict(plain.state_dict())
    frames = Frames.identity(len(pos), like=pos)
    assert torch.allclose(wrapped(x, edge_index, frames=frames), plain(x, edge_index))


class Handing(torch.nn.Module):
    """Hands its arguments on to one convolution."""

    def __init__(self, conv: torch.nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        return self.conv(*args, **kwargs)


def test_a_wrong_call_is_told_as_the_convolution_tells_it() -> None:
    network, (pos, x, edge_index) = in_local_frames(Handing(SAGEConv((W, W), W).double()), REPS), cloud()
    frames = Frames.identity(len(pos), like=pos)
    with pytest.raises(TypeError, match=r"SAGEConv.forward: missing a required argument: 'edge_index'"):
        network(x, frames=frames)
    with pytest.raises(TypeError, match=r"SAGEConv.forward: too many positional arguments"):
        network(x, edge_index, None, None, frames=frames)
    with pytest.raises(TypeError, match=r"SAGEConv.forward: multiple values for argument 'x'"):
        network(x, edge_index, x=x, frames=frames)


def test_threads_have_frames_of_their_own() -> None:
    torch.manual_seed(0)
    met = Barrier(2)

    class Meets(Handing):
        def forward(self, *args, **kwargs):  # type: ignore[no-untyped-def]
            met.wait()  # both calls have brought their frames
            return super().forward(*args, **kwargs)

    network, (_pos, x, edge_index) = in_local_frames(Meets(SAGEConv((W, W), W).double()), REPS), cloud()
    frames = [Frames(random_orthogonal(14)) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda each: network(x, edge_index, frames=each), frames))
    for each, result in zip(frames, results, strict=True):
        assert torch.equal(result, network.network.conv.inner(x, edge_index, each))


class Sparing(Handing):
    """Computes its convolution once more in the backward pass."""

    def forward(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        return checkpoint(self.conv, *args, use_reentrant=False, **kwargs)


def test_checkpoints_go_around_the_converted_network() -> None:
    torch.manual_seed(0)
    (_, x, edge_index), frames, conv = cloud(), Frames(random_orthogonal(14)), SAGEConv((W, W), W).double()
    inside = in_local_frames(Sparing(deepcopy(conv)), REPS)
    with pytest.raises(ValueError, match=r"torch.utils.checkpoint goes around that call, not inside"):
        inside(x, edge_index, frames=frames).sum().backward()
    plain = in_local_frames(Handing(conv), REPS)
    around = Sparing(deepcopy(plain))
    for network in (plain, around):
        network(x, edge_index, frames=frames).square().sum().backward()
    for spared, kept in zip(around.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(spared.grad, kept.grad)


def test_a_converted_network_is_copied_and_pickled() -> None:
    torch.manual_seed(0)
    network = in_local_frames(GraphSAGE(W, W, 2).double(), REPS)
    (_, x, edge_index), frames = cloud(), Frames(random_orthogonal(14))
    for twin in (deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(twin(x, edge_index, frames=frames), network(x, edge_index, frames=frames))


def test_a_network_is_converted_once() -> None:
    network = in_local_frames(torch.nn.Sequential(SAGEConv(7, 7)), "1x0 + 2x1")
    with pytest.raises(ValueError, match=r"expected plain convolutions, got network\.0 in local frames already"):
        in_local_frames(network, "1x0 + 2x1")
    with pytest.raises(ValueError, match="expected plain convolutions, got 0 in local frames already"):
        in_local_frames(torch.nn.Sequential(InLocalFrames(SAGEConv((7, 7), 7), "1x0 + 2x1")), "1x0 + 2x1")


class Flow(MessagePassing):
    """Takes a vector at the points."""

    def __init__(self) -> None:
        super().__init__("sum")
        self.lin = torch.nn.Linear(W + 3, W)

    def forward(self, x, edge_index, velocity):  # type: ignore[no-untyped-def]
        return self.propagate(edge_index, x=x, velocity=velocity)

    def message(self, x_j: Tensor, velocity_j: Tensor) -> Tensor:
        return self.lin(torch.cat([x_j, velocity_j], dim=-1)).tanh()


class Flowing(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Flow(), SAGEConv((W, W), W)

    def forward(self, x: Tensor, edge_index: Tensor, velocity: Tensor) -> Tensor:
        return self.second(self.first(x, edge_index, velocity), edge_index)


def test_vectors_at_points_are_for_the_convolutions_that_take_them() -> None:
    torch.manual_seed(0)
    network = in_local_frames(Flowing().double(), REPS, world={"velocity": "1x1"})
    finder, (_, x, _) = LearnedFrames("o").double(), cloud()

    def run(pos: Tensor) -> Tensor:
        edge_index = knn_graph(pos, 5)
        frames = finder(pos, edge_index)
        return frames.to_world(network(x, edge_index, pos - pos.mean(0), frames=frames), REPS)

    assert_equivariant(run, cloud()[0], REPS)
    with pytest.raises(ValueError, match="expected world to name arguments of a convolution in the network, got 'spe"):
        in_local_frames(Flowing(), REPS, world={"speed": "1x1"})


@pytest.mark.parametrize("wrong", [{"edge_reps": "1y1"}, {"world": {"velocity": "1y1"}}])
def test_a_wrong_representation_is_not_taken_for_a_wrong_convolution(wrong: dict) -> None:
    with pytest.raises(ValueError, match=r'expected a sum like "32x0 \+ 16x1 .* got \'1y1\''):
        in_local_frames(Flowing(), REPS, **wrong)


def test_points_that_have_no_frame_are_told() -> None:
    network, (pos, x, edge_index) = in_local_frames(Handing(SAGEConv((W, W), W).double()), REPS), cloud()
    for count in (13, 15):
        with pytest.raises(ValueError, match=rf"a row for each frame, {count} in all, got shape \(14, {W}\)"):
            network(x, edge_index, frames=Frames.identity(count, like=pos))


def test_edge_reps_that_no_convolution_takes() -> None:
    message = "expected edge_reps for .* edge_attr, got SAGEConv"
    for make in (InLocalFrames, in_local_frames):
        with pytest.raises(ValueError, match=message):
            make(SAGEConv(16, 8), TensorMessages(), edge_reps="1x1")
    both = torch.nn.ModuleList([SAGEConv(16, 8), GATv2Conv(8, 8, edge_dim=3)])
    assert in_local_frames(both, TensorMessages(), edge_reps="1x1").converted == ["0", "1"]


def test_parameters_are_exchanged_by_their_own_names() -> None:
    network, (pos, x, edge_index) = in_local_frames(Handing(SAGEConv((W, W), W).double()), REPS), cloud()
    frames = Frames.identity(14, like=pos)
    given = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    zero = {name: torch.zeros_like(value) for name, value in given.items()}
    same, none = (
        torch.func.functional_call(network, values, (x, edge_index), {"frames": frames}) for values in (given, zero)
    )
    assert torch.equal(same, network(x, edge_index, frames=frames))
    assert not none.any()
    missing = network.load_state_dict({}, strict=False).missing_keys
    assert missing == list(dict(network.named_parameters()))
