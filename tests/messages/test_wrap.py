"""Way 2: PyG's convolutions untouched, one by one; whole networks are in test_networks.py."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch_geometric.nn import EdgeConv, GATv2Conv, GCNConv, HeteroConv, MessagePassing, RGCNConv, SAGEConv

from tensorframes.frames import Frames, LearnedFrames
from tensorframes.geometry import edge_vectors, knn_graph
from tensorframes.messages import InLocalFrames, TensorialMessagePassing, TensorMessages, local_edge_vectors, refusal
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
    random = torch.Generator().manual_seed(3)
    everything = {
        "edge_attr": torch.rand(edges, 3, dtype=torch.float64, generator=random),
        "edge_weight": torch.rand(edges, dtype=torch.float64, generator=random),
        "edge_type": torch.randint(2, (edges,), generator=random),
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
    result = InLocalFrames(conv, REPS)(x, edge_index, Frames.identity(len(pos), like=pos), **rest)
    assert torch.allclose(result, plain)


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
    result = InLocalFrames(looping, REPS, self_loops=True)(x, edge_index, Frames.identity(len(pos), like=pos), **rest)
    assert torch.allclose(result, expected)


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


def test_several_convolutions_in_one_are_told_what_to_use() -> None:
    with pytest.raises(ValueError, match="in_local_frames wraps them all"):
        InLocalFrames(HeteroConv({("a", "to", "a"): SAGEConv((W, W), W)}), REPS)


def test_the_state_is_that_of_the_convolution() -> None:
    plain, wrapped = SAGEConv((W, W), W), InLocalFrames(SAGEConv((W, W), W), REPS)
    assert list(wrapped.state_dict()) == list(plain.state_dict())
    wrapped.load_state_dict(plain.state_dict())
    assert torch.equal(wrapped.conv.lin_l.weight, plain.lin_l.weight)


class Own(MessagePassing):
    """A convolution of one's own that maps its features before it propagates."""

    def __init__(self) -> None:
        super().__init__("sum")
        self.lin = torch.nn.Linear(W, W)

    def forward(self, x, edge_index, size=None):  # type: ignore[no-untyped-def]
        return self.propagate(edge_index, x=self.lin(x), size=size)


class Annotated(Own):
    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.propagate(edge_index, x=x)


def test_a_convolution_of_ones_own_is_told_what_it_gets() -> None:
    with pytest.raises(ValueError, match=r"Annotated: its forward is annotated x: Tensor, and it gets a pair"):
        InLocalFrames(Annotated(), REPS)
    frames = Frames(torch.eye(3).expand(4, 3, 3))
    with pytest.raises(TypeError, match=r"expected Own.forward to take x as a pair \(senders, receivers\)"):
        InLocalFrames(Own(), REPS)(torch.ones(4, W), torch.tensor([[0, 1], [1, 2]]), frames)


def test_a_convolution_that_transports_by_itself_is_not_wrapped() -> None:
    class Transports(TensorialMessagePassing):
        def forward(self, x, edge_index, frames):  # type: ignore[no-untyped-def]
            return self.propagate(edge_index, x=x, frames=frames)

    assert refusal(Transports({"x": REPS})) == "it transports its features itself; call it with frames"


@pytest.mark.parametrize("loops", [False, True])
def test_attention_weights_come_with_the_callers_edges(loops: bool) -> None:
    torch.manual_seed(0)
    conv, (pos, x, edge_index) = GATv2Conv((W, W), W, add_self_loops=loops).double(), cloud()
    _, (edges, weights) = conv((x, x), edge_index, return_attention_weights=True)
    conv.add_self_loops = False
    wrapped = InLocalFrames(conv, REPS, self_loops=loops)
    _, (found, same) = wrapped(x, edge_index, Frames.identity(len(pos), like=pos), return_attention_weights=True)
    assert torch.equal(found, edges)
    assert torch.allclose(same, weights)


def test_messages_have_the_dimension_of_the_frames() -> None:
    torch.manual_seed(0)
    conv, finder = InLocalFrames(SAGEConv((W, W), W).double(), TensorMessages()), LearnedFrames("o", d=2).double()
    reps, x = TensorMessages().reps(W, d=2), torch.ones(14, W, dtype=torch.float64)

    def convolved(pos: Tensor) -> Tensor:
        edge_index = knn_graph(pos, 5)
        frames = finder(pos, edge_index)
        return frames.to_world(conv(conv(x, edge_index, frames), edge_index, frames), reps)

    assert_equivariant(convolved, cloud()[0][:, :2], reps)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (lambda edges: edges.T, r"expected edge_index of shape \(2, E\), got \(70, 2\)"),
        (lambda edges: edges.double(), "expected an integer edge_index, got torch.float64"),
        (lambda edges: torch.eye(14).to_sparse(), r"expected edge_index of shape \(2, E\), got a sparse matrix"),
        (lambda edges: edges.tolist(), r"expected edge_index, a tensor of shape \(2, E\), got list"),
    ],
)
def test_what_is_no_list_of_edges_is_refused(edges: Callable[[Tensor], object], message: str) -> None:
    pos, x, edge_index = cloud()
    frames, wrong = Frames.identity(len(pos), like=pos), edges(edge_index)
    with pytest.raises(ValueError, match=message):
        InLocalFrames(SAGEConv((W, W), W).double(), REPS)(x, wrong, frames)
    with pytest.raises(ValueError, match=message):
        local_edge_vectors(pos, pos, wrong, frames)
    with pytest.raises(ValueError, match=message):
        LearnedFrames().double()(pos, wrong)


def test_what_is_no_frames_is_refused() -> None:
    _pos, x, edge_index = cloud()
    conv, matrices = InLocalFrames(SAGEConv((W, W), W).double(), REPS), torch.eye(3).double().expand(14, 3, 3)
    with pytest.raises(ValueError, match=r"expected frames=Frames or a pair of Frames, got Tensor"):
        conv(x, edge_index, matrices)
    with pytest.raises(ValueError, match=r"features and frames of one dtype, got torch.float64 and torch.float32"):
        conv(x, edge_index, Frames(matrices.float()))


def test_the_representation_may_be_a_text() -> None:
    pos, conv = torch.randn(9, 3), SAGEConv((7, 7), 5)
    edges = knn_graph(pos, 3)
    frames, x = LearnedFrames()(pos, edges), torch.randn(9, 7)
    expected = InLocalFrames(conv, TensorReps("1x0 + 2x1"))(x, edges, frames)
    assert torch.equal(InLocalFrames(conv, "1x0 + 2x1")(x, edges, frames), expected)
    with pytest.raises(ValueError, match="expected a representation or its text, got 7"):
        InLocalFrames(conv, 7)  # type: ignore[arg-type]


def test_no_advice_is_given_that_does_not_help() -> None:
    assert "every sender once" in str(refusal(GCNConv(7, 7)))


class Charged(MessagePassing):
    """A convolution with a number at the points besides their features."""

    def __init__(self) -> None:
        super().__init__("sum")
        self.lin = torch.nn.Linear(W, W)

    def forward(self, x, edge_index, charge):  # type: ignore[no-untyped-def]
        return self.propagate(edge_index, x=x, charge=charge)

    def message(self, x_j: Tensor, charge_i: Tensor, charge_j: Tensor) -> Tensor:
        return self.lin(x_j) * charge_i * charge_j


class Doubling(Charged):
    """Changes the numbers, but not a pair of them."""

    def forward(self, x, edge_index, charge):  # type: ignore[no-untyped-def]
        return self.propagate(edge_index, x=x, charge=charge.square())


def test_numbers_at_points_are_those_of_the_senders() -> None:
    torch.manual_seed(0)
    conv, (pos, x, edge_index) = Charged().double(), cloud()
    charge, frames = torch.rand(14, 1, dtype=torch.float64), Frames.identity(14, like=pos)
    for edges in (edge_index, knn_graph(pos, 1)):  # of the latter as many as points
        expected = conv(x, edges, charge)
        torch.testing.assert_close(InLocalFrames(conv, REPS)(x, edges, frames, charge=charge), expected)
        torch.testing.assert_close(InLocalFrames(conv, REPS)(x, edges, frames, charge=(charge, charge)), expected)
    with pytest.raises(ValueError, match=r"expected charge of the senders with a row for each frame, 14 in all"):
        InLocalFrames(conv, REPS)(x, edge_index, frames, charge=charge[:3])
    with pytest.raises(TypeError, match=r"expected Doubling.forward to take x and charge as a pair"):
        InLocalFrames(Doubling().double(), REPS)(x, edge_index, frames, charge=charge)


def test_labels_of_points_are_not_turned() -> None:
    torch.manual_seed(0)
    (_, _, edge_index), labels = cloud(), torch.randperm(14)
    conv, kinds = RGCNConv((14, 14), W, num_relations=2).double(), torch.randint(2, (70,))
    frames, expected = Frames(random_orthogonal(14)), conv(labels, edge_index, kinds)
    for reps in (REPS, TensorMessages()):
        wrapped = InLocalFrames(conv, reps)
        torch.testing.assert_close(wrapped(labels, edge_index, frames, edge_type=kinds), expected)
    few, kinds = edge_index[:, 3:60:5], kinds[:12]  # fewer edges than points
    expected = conv(None, few, kinds)
    torch.testing.assert_close(InLocalFrames(conv, REPS)(None, few, frames, edge_type=kinds), expected)


@pytest.mark.parametrize("name", ["nrmal", "pos", "x"])
def test_world_names_further_arguments(name: str) -> None:
    with pytest.raises(ValueError, match=f"expected world to name further arguments of PPFConv.forward, got '{name}'"):
        InLocalFrames(made("PPFConv"), REPS, world={name: "1x1"})


def test_edges_of_points_that_are_not_there_are_told() -> None:
    pos, x, edge_index = cloud()
    frames, conv = Frames.identity(14, like=pos), InLocalFrames(SAGEConv((W, W), W).double(), REPS)
    for row, points in enumerate(("senders", "receivers")):
        for wrong in (-1, 14):
            edges = edge_index.clone()
            edges[row, 3] = wrong
            message = rf"expected edge_index\[{row}\] of at least 0 and below 14, the {points}, got {wrong}"
            for call in (
                lambda edges: conv(x, edges, frames),
                lambda edges: local_edge_vectors(pos, pos, edges, frames),
                lambda edges: edge_vectors(pos, edges),
                lambda edges: LearnedFrames().double()(pos, edges),
            ):
                with pytest.raises(ValueError, match=message):
                    call(edges)
    with pytest.raises(ValueError, match="positions of the receivers with a row for each frame, 14 in all"):
        local_edge_vectors(pos, pos[:1], edge_index, frames)


def test_attributes_of_other_edges_are_told() -> None:
    pos, x, edge_index = cloud()
    conv = InLocalFrames(GATv2Conv((W, W), W, add_self_loops=False, edge_dim=3).double(), REPS, edge_reps="1x1")
    with pytest.raises(ValueError, match=r"edge_attr with a row for each edge, 70 in all, got shape \(14, 3\)"):
        conv(x, edge_index, Frames.identity(14, like=pos), edge_attr=pos)
