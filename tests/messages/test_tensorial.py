"""Way 1: what is declared arrives in the receiver's frame, eager and compiled."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from tensorframes.frames import Frames
from tensorframes.messages import (
    FixedDegree,
    FrameInterpolation,
    TensorialMessagePassing,
    local_edge_vectors,
    pooled,
    transport,
)
from tensorframes.reps import Irreps, TensorReps, representation
from tensorframes.testing import assert_transports, random_orthogonal
from tests.marks import slow_except

REPS = TensorReps("2x0 + 1x0p + 2x1 + 1x1p + 1x2")


class Conv(TensorialMessagePassing):
    """Any message passing network: it does not know of frames."""

    def __init__(self, aggr: str = "max", reps: TensorReps = REPS) -> None:
        super().__init__(transport={"x": reps}, aggr=aggr)
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(2 * reps.dim, 16), nn.SiLU(), nn.Linear(16, 5)).double()

    def forward(self, x: Tensor, edge_index: Tensor, frames: Frames) -> Tensor:
        return self.propagate(edge_index, x=x, frames=frames)

    def message(self, x_i: Tensor, x_j: Tensor) -> Tensor:
        return self.net(torch.cat([x_i, x_j], dim=-1))


class Inherited(Conv):
    """A leaf class of its own: PyG's template must not replace propagate here either."""

    def message(self, x_i: Tensor, x_j: Tensor) -> Tensor:
        return self.net(torch.cat([x_i - x_j, x_j], dim=-1))


def bipartite(conv: Conv, x: Tensor, edge_index: Tensor, pos: tuple, src: Frames, dst: Frames) -> Tensor:
    own = torch.ones(len(pos[1]), REPS.dim, dtype=x.dtype)
    return conv.propagate(edge_index, x=(x, own), frames=(src, dst))


@pytest.mark.parametrize("aggr", ["max", "sum", "mean"])
@pytest.mark.parametrize("kind", [Conv, Inherited])
def test_messages_arrive(kind: type[Conv], aggr: str) -> None:
    assert_transports(partial(bipartite, kind(aggr)), REPS, compile_modes=(False,))


@pytest.mark.parametrize("aggr", slow_except(["max"], ["max", "sum", "mean"]))
@pytest.mark.parametrize("kind", [Conv, Inherited])
def test_messages_arrive_compiled(kind: type[Conv], aggr: str) -> None:
    assert_transports(partial(bipartite, kind(aggr)), REPS, compile_modes=(True,))


@pytest.mark.parametrize("receivers", [0, 7])
def test_receivers_of_equal_degree_are_repeated_as_they_are_gathered(receivers: int) -> None:
    generator = torch.Generator().manual_seed(3)
    frames = Frames(random_orthogonal(9)), Frames(random_orthogonal(receivers))
    sent, own = (torch.randn(count, REPS.dim, generator=generator, dtype=torch.float64) for count in (9, receivers))
    edges = torch.stack([torch.randint(9, (4 * receivers,), generator=generator), torch.arange(4 * receivers) // 4])
    found = []
    for aggr in ("sum", FixedDegree("sum", 4)):
        given = sent.clone().requires_grad_(), own.clone().requires_grad_()
        out = Conv(aggr).propagate(edges, x=given, frames=frames)  # type: ignore[arg-type]
        found.append((out, *torch.autograd.grad(out.square().sum(), given)))
    for gathered, repeated in zip(*found, strict=True):
        torch.testing.assert_close(repeated, gathered, rtol=0, atol=1e-12)


@pytest.mark.parametrize("aggr", ["mean", FixedDegree("mean", 4)], ids=["scatter", "fixed"])
def test_tensors_on_edges_arrive_in_the_receivers_frame(aggr: object) -> None:
    class EdgeConv(TensorialMessagePassing):
        def __init__(self) -> None:
            super().__init__(transport={"x": REPS}, aggr=aggr, edge_transport={"attr": "1x1 + 1x0p"})

        def message(self, x_j: Tensor, attr: Tensor) -> Tensor:
            return torch.cat([x_j, attr], dim=-1)

    conv = EdgeConv()

    def forward(x: Tensor, e: Tensor, pos: tuple[Tensor, Tensor], src: Frames, dst: Frames) -> Tensor:
        attr = torch.arange(4.0 * e.shape[1], dtype=x.dtype).view(-1, 4)
        return conv.propagate(e, x=(x, torch.zeros(len(dst), 0)), attr=attr, frames=(src, dst))

    assert_transports(forward, REPS)
    # Under g the attributes turn and the frames turn against it: the receivers see the same.
    g = random_orthogonal(1, determinant=-1)[0]
    dst, x = Frames(random_orthogonal(3)), torch.zeros(5, REPS.dim, dtype=torch.float64)
    edges = torch.stack([torch.arange(12) % 5, torch.arange(3).repeat_interleave(4)])
    attr = torch.randn(12, 4, dtype=torch.float64)
    turned = representation("1x1 + 1x0p").transform(attr, g.expand(12, 3, 3))
    own = torch.zeros(3, 0)
    before = conv.propagate(edges, x=(x, own), attr=attr, frames=(Frames.identity(5, like=x), dst))
    after = conv.propagate(
        edges, x=(x, own), attr=turned, frames=(Frames.identity(5, like=x), Frames(dst.matrices @ g.T))
    )
    torch.testing.assert_close(after, before)


def test_an_edge_feature_that_nobody_takes_is_refused() -> None:
    class Deaf(TensorialMessagePassing):
        def __init__(self) -> None:
            super().__init__(transport={"x": REPS}, edge_transport={"attr": "1x1"})

        def message(self, x_j: Tensor) -> Tensor:
            return x_j

    with pytest.raises(TypeError, match="does not take attr, which is declared on the edges"):
        Deaf()


def test_the_check_sees_a_vanished_transition() -> None:
    conv = Conv()

    def forgetful(x: Tensor, e: Tensor, pos: tuple, src: Frames, dst: Frames) -> Tensor:
        return bipartite(conv, x, e, pos, dst.index_select(torch.zeros(len(x), dtype=torch.long)), dst)

    with pytest.raises(AssertionError, match="eager: the senders' frames change the receivers"):
        assert_transports(forgetful, REPS)


def test_the_check_sees_a_layer_that_does_not_listen() -> None:
    with pytest.raises(AssertionError, match="do not depend on the senders"):
        assert_transports(lambda x, e, pos, src, dst: pos[1] + 1.0, REPS, compile_modes=(False,))


def test_messages_are_those_of_a_loop_over_edges() -> None:
    conv = Conv("sum")
    frames = Frames(random_orthogonal(6))
    x = torch.randn(6, REPS.dim, dtype=torch.float64)
    edge_index = torch.tensor([[1, 2, 5, 0, 0], [0, 0, 3, 3, 5]])
    expected = torch.zeros(6, 5, dtype=torch.float64)
    for j, i in edge_index.T.tolist():
        g = (frames.matrices[i] @ frames.matrices[j].T).unsqueeze(0)
        arrived = REPS.transform(x[j : j + 1], g)
        expected[i] += conv.net(torch.cat([x[i : i + 1], arrived], dim=-1))[0]
    assert torch.allclose(conv(x, edge_index, frames), expected, atol=1e-12)


def test_identity_frames_make_it_the_ordinary_network() -> None:
    from torch_geometric.nn import MessagePassing

    class Plain(MessagePassing):
        def __init__(self, net: nn.Module) -> None:
            super().__init__(aggr="max")
            self.net = net

        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            return self.propagate(edge_index, x=x)

        def message(self, x_i: Tensor, x_j: Tensor) -> Tensor:
            return self.net(torch.cat([x_i, x_j], dim=-1))

    conv = Conv("max")
    x, edge_index = torch.randn(6, REPS.dim, dtype=torch.float64), torch.randint(0, 6, (2, 20))
    assert torch.allclose(conv(x, edge_index, Frames.identity(6, like=x)), Plain(conv.net)(x, edge_index))


def test_what_is_not_declared_is_gathered_as_it_is() -> None:
    class WithPositions(TensorialMessagePassing):
        def __init__(self) -> None:
            super().__init__(transport={"x": "1x1"}, aggr="sum")

        def message(self, x_j: Tensor, pos_i: Tensor, pos_j: Tensor, weight: Tensor, index: Tensor) -> Tensor:
            return torch.cat([pos_j - pos_i, weight, index.unsqueeze(-1).to(weight)], dim=-1) + 0 * x_j[:, :1]

    pos, edge_index = torch.randn(4, 3, dtype=torch.float64), torch.tensor([[1, 2, 3], [0, 0, 1]])
    weight = torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64)
    frames = Frames(random_orthogonal(4))
    out = WithPositions().propagate(edge_index, x=torch.zeros(4, 3).double(), pos=pos, weight=weight, frames=frames)
    assert torch.allclose(out[0, :3], pos[1] + pos[2] - 2 * pos[0])
    assert out[:, 3].tolist() == [3, 3, 0, 0]
    assert out[:, 4].tolist() == [0, 1, 0, 0]


def test_gradients_flow_into_features_and_frames() -> None:
    conv = Conv("sum")
    matrices = random_orthogonal(5).requires_grad_()
    x = torch.randn(5, REPS.dim, dtype=torch.float64, requires_grad=True)
    conv(x, torch.tensor([[0, 1, 2], [3, 3, 4]]), Frames(matrices)).sum().backward()
    assert x.grad.abs().sum() > 0
    assert matrices.grad.abs().sum() > 0


def test_overriding_propagate_is_refused() -> None:
    with pytest.raises(TypeError, match="overrides propagate"):

        class Wrong(TensorialMessagePassing):
            def propagate(self) -> None: ...


def test_declared_features_that_do_not_travel_are_refused() -> None:
    class Deaf(TensorialMessagePassing):
        def message(self, x_i: Tensor) -> Tensor:
            return x_i

    with pytest.raises(TypeError, match="does not take x_j"):
        Deaf(transport={"x": "1x1"})


def test_missing_frames_and_wrong_features_are_refused() -> None:
    conv, edge_index = Conv(), torch.zeros(2, 1, dtype=torch.long)
    with pytest.raises(TypeError, match="frames"):
        conv.propagate(edge_index, x=torch.zeros(2, REPS.dim))
    with pytest.raises(ValueError, match="expected frames="):
        conv(torch.zeros(2, REPS.dim), edge_index, frames=torch.eye(3))
    with pytest.raises(ValueError, match="expected features of"):
        conv(torch.zeros(2, 4), edge_index, Frames.identity(2))


@pytest.mark.parametrize("recorded", [True, False], ids=["training", "inference"])
def test_edges_out_of_order_are_told_where_a_reshape_adds_them_up(recorded: bool) -> None:
    x, frames = torch.randn(14, REPS.dim, dtype=torch.float64), Frames(random_orthogonal(14))
    pos = torch.randn(14, 3, dtype=torch.float64)
    edges = torch.stack([torch.randint(14, (70,)), torch.arange(14).repeat_interleave(5)[torch.randperm(70)]])
    calls = (
        lambda: Conv(pooled("max", 5))(x, edges, frames),
        lambda: FixedDegree("sum", 5)(x[edges[0]], edges[1], dim_size=14),
        lambda: FrameInterpolation(REPS, degree=5)(x, edges, (pos, pos), (frames, frames)),
        lambda: local_edge_vectors(pos, pos, edges, frames, degree=5),
    )
    for call in calls:
        with (
            torch.set_grad_enabled(recorded),
            pytest.raises(ValueError, match="expected edges sorted by receiver, 5 each, got them in another order"),
        ):
            call()
    torch.testing.assert_close(
        local_edge_vectors(pos, pos, edges[:, edges[1].argsort()], frames, degree=5),
        local_edge_vectors(pos, pos, edges, frames)[edges[1].argsort()],
    )


def test_irreducible_features_arrive() -> None:
    reps = Irreps("2x0e + 1x0o + 2x1o + 1x1e + 1x2e + 1x3o")
    conv = Conv(reps=reps)

    def layer(x: Tensor, edge_index: Tensor, pos: tuple, src: Frames, dst: Frames) -> Tensor:
        own = torch.ones(len(pos[1]), reps.dim, dtype=x.dtype)
        return conv.propagate(edge_index, x=(x, own), frames=(src, dst))

    assert_transports(layer, reps)


def test_representations_are_read_from_either_spelling() -> None:
    class Two(TensorialMessagePassing):
        def message(self, x_j: Tensor, y_j: Tensor) -> Tensor:
            return torch.cat([x_j, y_j], dim=-1)

    assert Two({"x": "2x0 + 1x1", "y": "2x0e + 1x1o"}).transport == {
        "x": TensorReps("2x0 + 1x1"),
        "y": Irreps("2x0e + 1x1o"),
    }
    with pytest.raises(ValueError, match='expected a sum like "32x0'):
        Two({"x": "2x0 + 1x1o", "y": "1x0"})


class Residual(Conv):
    """Adds what it was given, as PyG's convolutions may: ``x`` itself, beside ``x_j``."""

    def message(self, x_j: Tensor) -> Tensor:
        return x_j

    def update(self, out: Tensor, x: Tensor) -> Tensor:
        return out + x


def test_update_gets_the_features_as_they_were_given() -> None:
    x, edge_index, frames = torch.randn(6, REPS.dim).double(), torch.randint(6, (2, 20)), Frames(random_orthogonal(6))
    aggregated = Residual("sum").propagate(edge_index, x=x, frames=frames) - x
    arrived = transport(x, REPS, edge_index, frames, frames)
    torch.testing.assert_close(aggregated, torch.zeros_like(x).index_add(0, edge_index[1], arrived))
    compiled = torch.compile(Residual("sum"), backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, edge_index, frames), aggregated + x)


def test_a_single_tensor_is_the_senders_where_receivers_have_none() -> None:
    x, frames = torch.randn(6, REPS.dim).double(), Frames(random_orthogonal(6))
    edge_index, ends = torch.tensor([[5, 3, 0], [0, 0, 1]]), (frames, Frames(random_orthogonal(2)))

    class Sending(Conv):
        def message(self, x_j: Tensor) -> Tensor:
            return x_j

    arrived = transport(x, REPS, edge_index, *ends)
    expected = torch.stack([arrived[0] + arrived[1], arrived[2]])
    torch.testing.assert_close(Sending("sum").propagate(edge_index, x=x, frames=ends), expected)
    with pytest.raises(ValueError, match="expected x of the receivers with a row for each frame, 2 in all"):
        Conv().propagate(edge_index, x=x, frames=ends)


def test_points_that_are_not_those_of_the_frames_are_told() -> None:
    class Weighted(Conv):
        def message(self, x_j: Tensor, w_j: Tensor) -> Tensor:
            return x_j * w_j

    conv, edge_index = Weighted(), torch.tensor([[0, 1], [2, 3]])
    x, frames = torch.zeros(4, REPS.dim, dtype=torch.float64), Frames(random_orthogonal(4))
    told = r"expected {} of the senders with a row for each frame, 4 in all, got shape \({}\)"
    for name, wrong in {"x": x.expand(4, 4, -1), "w": torch.ones(5, 1)}.items():
        shape = ", ".join(map(str, wrong.shape))
        with pytest.raises(ValueError, match=told.format(name, shape)):
            conv.propagate(edge_index, frames=frames, **{"x": x, "w": torch.ones(4, 1), name: wrong})
    with pytest.raises(ValueError, match=r"edge_index\[1\] of at least 0 and below 4, the receivers, got 4"):
        conv.propagate(edge_index + 1, x=x, w=torch.ones(4, 1), frames=frames)


def test_arguments_that_are_missing_have_their_defaults() -> None:
    class Scaled(Conv):
        def message(self, x_j: Tensor, w_j: Tensor, scale: float = 2.0, shift_j: object = None) -> Tensor:
            return x_j * w_j * scale if shift_j is None else x_j * w_j * scale + shift_j

    conv, edge_index = Scaled("sum"), torch.tensor([[0, 1], [2, 3]])
    x, w, frames = torch.randn(4, REPS.dim).double(), torch.ones(4, 1).double(), Frames(random_orthogonal(4))
    arrived = 2 * transport(x, REPS, edge_index, frames, frames)
    torch.testing.assert_close(conv.propagate(edge_index, x=x, w=w, frames=frames)[2:], arrived)
    with pytest.raises(TypeError, match="Parameter 'w_j' is required"):
        conv.propagate(edge_index, x=x, frames=frames)


def test_tensors_of_other_edges_are_told() -> None:
    class EdgeConv(TensorialMessagePassing):
        def message(self, x_j: Tensor, attr: Tensor) -> Tensor:
            return x_j

    conv, x = EdgeConv({"x": REPS}, edge_transport={"attr": "1x1"}), torch.zeros(4, REPS.dim, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"expected attr with a row for each edge, 2 in all, got shape \(4, 3\)"):
        conv.propagate(torch.tensor([[0, 1], [2, 3]]), x=x, attr=x[:, :3], frames=Frames(random_orthogonal(4)))


def test_what_senders_do_not_have_is_refused_wherever_it_is_asked_for() -> None:
    class Sized(Conv):
        def update(self, out: Tensor, size: tuple) -> Tensor:
            return out

    with pytest.raises(TypeError, match=r"Sized\.update cannot ask for 'size': each edge has its own sender"):
        Sized()
