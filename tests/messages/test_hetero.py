"""Networks for points of several kinds, converted: ``HeteroConv`` and those that ``to_hetero`` makes."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor
from torch_geometric.nn import (
    GATv2Conv,
    GraphSAGE,
    HeteroConv,
    PointTransformerConv,
    SAGEConv,
    to_hetero,
)

from tensorframes.frames import Frames, LearnedFrames
from tensorframes.geometry import knn_graph
from tensorframes.messages import TensorMessages, in_local_frames
from tensorframes.testing import assert_equivariant, assert_transports, random_orthogonal
from tests.messages.cloud import REPS, W, cloud

pytestmark = pytest.mark.filterwarnings("ignore:There exist node types")  # tips that only send

POINTS, TIPS = ("point", "near", "point"), ("tip", "to", "point")


def hetero() -> HeteroConv:
    """Points and tips: points see their neighbours and the tips, tips see points."""
    torch.manual_seed(0)
    convs = {
        POINTS: GATv2Conv((W, W), W, edge_dim=1, add_self_loops=True),
        TIPS: SAGEConv((W, W), W),
        ("point", "of", "tip"): PointTransformerConv((W, W), W, add_self_loops=False),
    }
    return HeteroConv(convs, aggr="max").double()


class TwoKinds(torch.nn.Module):
    """Two rounds of messages between points and tips."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = hetero(), hetero()

    def forward(self, x: dict, edges: dict, length: dict, pos: dict) -> dict:
        ends = {("point", "of", "tip"): (pos["point"], pos["tip"])}
        rest = {"edge_index_dict": edges, "edge_attr_dict": length, "pos_dict": ends}
        return self.second(x_dict=self.first(x_dict=x, **rest), **rest)


def graph(point: Tensor, tip: Tensor) -> tuple[dict, dict, dict]:
    """Edges and their lengths, with frames of both kinds of points."""
    finder = LearnedFrames("o").double()
    distance = torch.cdist(tip, point)
    nearest = distance.topk(3, largest=False).indices  # of each tip
    down = torch.stack([nearest.flatten(), torch.arange(len(tip)).repeat_interleave(3)])
    near = knn_graph(point, 5)
    edges = {POINTS: near, TIPS: down.flip(0), ("point", "of", "tip"): down}
    length = {POINTS: (point[near[0]] - point[near[1]]).norm(dim=-1, keepdim=True)}
    frames = {"point": finder(point, near), "tip": finder(tip, knn_graph(tip, 4))}
    return edges, length, frames


def test_a_network_of_several_kinds_of_points_is_equivariant() -> None:
    network, count = in_local_frames(TwoKinds(), TensorMessages()), 14
    assert network.converted[1] == "first.convs.<tip___to___point>"
    assert len(network.converted) == 6
    scalars, out = torch.randn(count + 6, W, dtype=torch.float64), TensorMessages().reps(W)

    def run(pos: Tensor) -> Tensor:
        torch.manual_seed(0)
        point, tip = pos[:count], pos[count:]
        edges, length, frames = graph(point, tip)
        x = {"point": scalars[:count], "tip": scalars[count:]}
        out_by_kind = network(x, edges, length, {"point": point, "tip": tip}, frames=frames)
        return torch.cat([frames[kind].to_world(out_by_kind[kind], out) for kind in ("point", "tip")])

    assert_equivariant(run, cloud(count + 6)[0], out)


def test_messages_between_kinds_of_points_arrive() -> None:
    network = in_local_frames(HeteroConv({TIPS: SAGEConv((W, W), W)}).double(), REPS)

    def layer(x: Tensor, edge_index: Tensor, pos: tuple[Tensor, Tensor], senders: Frames, receivers: Frames) -> Tensor:
        features = {"tip": x, "point": torch.ones(len(pos[1]), W, dtype=x.dtype)}
        return network(features, {TIPS: edge_index}, frames={"tip": senders, "point": receivers})["point"]

    assert_transports(layer, REPS)


def test_with_identity_frames_several_kinds_of_points_are_as_without() -> None:
    plain, wrapped = TwoKinds(), in_local_frames(TwoKinds(), TensorMessages())
    wrapped.load_state_dict(plain.state_dict())
    assert list(wrapped.state_dict()) == list(plain.state_dict())
    pos, x, _ = cloud(20)
    kinds = {"point": slice(14), "tip": slice(14, 20)}
    edges, length, _ = graph(pos[:14], pos[14:])
    given = (
        {kind: x[rows] for kind, rows in kinds.items()},
        edges,
        length,
        {kind: pos[r] for kind, r in kinds.items()},
    )
    frames = {kind: Frames.identity(len(pos[rows]), like=pos) for kind, rows in kinds.items()}
    expected, out_by_kind = plain(*given), wrapped(*given, frames=frames)
    turned = wrapped(*given, frames={**frames, "tip": Frames(random_orthogonal(6))})
    for kind in kinds:
        assert torch.allclose(out_by_kind[kind], expected[kind])
        assert not torch.allclose(turned[kind], expected[kind])


class OneKind(torch.nn.Module):
    """For points of one kind; ``to_hetero`` makes it one for several."""

    def __init__(self) -> None:
        super().__init__()
        self.start, self.first, self.second = torch.nn.Linear(W, W), SAGEConv((W, W), W), SAGEConv((W, W), W)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.second(self.first(self.start(x), edge_index).relu(), edge_index)


@pytest.mark.parametrize("model", [OneKind, lambda: GraphSAGE((W, W), W, 2)])
def test_a_network_of_to_hetero_is_converted_and_equivariant(model: Callable) -> None:
    kinds = (["point", "tip"], [POINTS, TIPS, ("point", "of", "tip")])
    torch.manual_seed(0)
    plain = to_hetero(model(), kinds).double()
    wrapped, count, out = in_local_frames(deepcopy(plain), TensorMessages()), 14, TensorMessages().reps(W)
    assert wrapped.converted[1].endswith(".tip__to__point")
    assert len(wrapped.converted) == 6
    scalars = torch.randn(count + 6, W, dtype=torch.float64)
    x = {"point": scalars[:count], "tip": scalars[count:]}

    def run(pos: Tensor) -> Tensor:
        edges, _, frames = graph(pos[:count], pos[count:])
        found = wrapped(x, edges, frames=frames)
        return torch.cat([frames[kind].to_world(found[kind], out) for kind in x])

    pos = cloud(count + 6)[0]
    torch.manual_seed(1)
    edges, _, frames = graph(pos[:count], pos[count:])
    identity = {kind: Frames.identity(len(each), like=pos) for kind, each in frames.items()}
    for kind, expected in plain(x, edges).items():
        torch.testing.assert_close(wrapped(x, edges, frames=identity)[kind], expected)

    def seeded(pos: Tensor) -> Tensor:
        torch.manual_seed(0)  # of the frames
        return run(pos)

    assert_equivariant(seeded, pos, out)


def test_frames_that_do_not_fit_are_told() -> None:
    network = in_local_frames(HeteroConv({TIPS: SAGEConv((W, W), W)}).double(), REPS)
    x, edges = {"tip": torch.ones(2, W).double(), "point": torch.ones(2, W).double()}, {TIPS: torch.tensor([[0], [1]])}
    frames = Frames.identity(2, like=x["tip"])
    with pytest.raises(ValueError, match="by node type, of tip and point, got frames without node types"):
        network(x, edges, frames=frames)
    with pytest.raises(ValueError, match="by node type, of tip and point, got those of tip"):
        network(x, edges, frames={"tip": frames})
    with pytest.raises(ValueError, match=r"in a HeteroConv \(or a network of to_hetero\) alone, got one outside"):
        in_local_frames(GraphSAGE(W, 16, 2, 8), TensorMessages())(x["tip"], edges[TIPS], frames={"tip": frames})
    shared = torch.nn.ModuleList([SAGEConv((W, W), W)])
    with pytest.raises(ValueError, match="one module for two"):
        in_local_frames(HeteroConv({TIPS: shared, POINTS: shared}), REPS)
