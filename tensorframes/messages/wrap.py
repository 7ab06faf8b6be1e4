"""A convolution of PyG, unchanged, on features in local frames."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing, RGCNConv
from torch_geometric.utils import add_self_loops, remove_self_loops

from tensorframes.frames import Frames
from tensorframes.geometry.checks import check_edges, check_rows
from tensorframes.messages.kinds import Messages
from tensorframes.messages.refusal import refusal
from tensorframes.messages.same_keys import use_keys_of
from tensorframes.messages.transport import both_ends, local_edge_vectors, transport
from tensorframes.reps import Representation, representation

VECTORS = {"normal": "1x1"}  # arguments of PyG's convolutions that are vectors in the world's frame


class InLocalFrames(nn.Module):
    r"""A PyG convolution on senders' features in the receiver's frame: any that takes a pair (senders, receivers).

    Each edge gets its own copy of its sender, :math:`\rho(R_i R_j^T) f_j`, and the convolution is called on a bipartite
    graph in which edge k sends from row k. Its linear maps of the senders then run on E rows instead of N: general, not
    fast.

    - ``x``: features in each point's own frame; a pair for a bipartite graph.
    - ``pos``: positions in the world; the convolution gets :math:`R_i (x_j - x_i)` and, for receivers, zero.
    - ``normal``, and what ``world`` names: tensors at the points, in the world's frame; it gets :math:`\rho(R_i) t_j`.
    - ``edge_attr`` with ``edge_reps``: tensors on the edges, in the world's frame; it gets :math:`\rho_e(R_i) e_{ij}`.
    - other tensors at the points, those that ``message`` takes as ``NAME_j``: invariant, as pairs like x.
    - all other arguments are passed on unchanged, and must be invariant.

    ``conv`` may use ``edge_index`` in ``propagate`` alone: in the graph that it gets, senders are edges, and their
    degrees, for example, are 1. With identity frames the result is that of ``conv``; test this for your own
    convolutions.

    Args:
        conv: the convolution.
        reps: the representation of x, or its text; or a ``Messages``, which gives it by the width of x.
        edge_reps: of edge_attr; None where it is invariant.
        world: representations of further arguments of ``conv`` that hold a tensor for each point.
        self_loops: add a loop at every point first, as PyG does for ``add_self_loops=True`` (existing ones are dropped,
            attributes filled by ``conv.fill_value``). Only where senders are receivers.

    Raises:
        ValueError: the convolution cannot be used in this way (see ``refusal``) or does not take what ``world`` names,
            or edge_attr for ``edge_reps``, reps are no representation, or loops are requested on a bipartite graph.
    """

    def __init__(
        self,
        conv: MessagePassing,
        reps: Representation | Messages | str,
        edge_reps: Representation | str | None = None,
        world: Mapping[str, Representation | str] | None = None,
        self_loops: bool = False,
    ) -> None:
        super().__init__()
        reason = refusal(conv)
        if reason is not None:
            raise ValueError(f"expected a convolution that works in local frames, got {type(conv).__name__}: {reason}")
        self.conv, self.self_loops = conv, self_loops
        self.reps = reps if isinstance(reps, Messages) else representation(reps)
        use_keys_of(self, "conv")
        self.edge_reps = None if edge_reps is None else representation(edge_reps)
        if self.edge_reps is not None and not takes(conv, "edge_attr"):
            raise ValueError(
                f"expected edge_reps for a convolution whose forward takes edge_attr, got {type(conv).__name__}"
            )
        declared = {**VECTORS, **(world or {})}
        self.world = {name: representation(reps) for name, reps in declared.items()}
        self.names = tuple(inspect.signature(conv.forward).parameters)
        unknown = [name for name in world or {} if not takes(conv, name)]
        if unknown:
            raise ValueError(
                f"expected world to name further arguments of {type(conv).__name__}.forward, got {unknown[0]!r}"
            )
        sent = {name.removesuffix("_j") for name in (*conv._user_args, *conv._edge_user_args) if name.endswith("_j")}
        self.at_points = tuple(name for name in self.names if name in sent - {"x", "pos", *self.world})

    def forward(self, x: Any, edge_index: Tensor, frames: Frames | tuple[Frames, Frames], **arguments: Any) -> Any:
        """What the convolution returns, in the receivers' frames.

        Args:
            x: (N, dim), or a pair ((S, dim), (R, dim)); the receivers' may be None, and x None where conv allows it.
            edge_index: (2, E), row 0 sending to row 1.
            frames: of the points, or a pair (senders', receivers').
            arguments: the convolution's own, by name; tensors at the points as one or as pairs, like x.
        """
        senders, receivers = both_ends(frames)
        check_edges(edge_index)
        if self.self_loops:
            edge_index, arguments = self._with_loops(edge_index, arguments, len(receivers), senders is receivers)
        if x is None and isinstance(self.conv, RGCNConv):  # which takes the rows of the senders for labels
            x = torch.arange(senders.points, device=edge_index.device)
        if x is not None:
            source, target = _pair(x)
            if source.is_floating_point():
                source = transport(source, self.reps_of(source, senders.d), edge_index, senders, receivers)
            else:  # labels, which are invariant
                source = _of_senders(source, "x", edge_index, senders)
            x = (source, target)
        for name, value in arguments.items():
            if value is not None:
                arguments[name] = self._argument(name, value, edge_index, senders, receivers)
        edges = torch.stack([torch.arange(edge_index.shape[1], device=edge_index.device), edge_index[1]])
        if "size" in self.names:
            arguments["size"] = (edges.shape[1], len(receivers))
        if torch.compiler.is_compiling():
            return _exchanged(self.conv(x=x, edge_index=edges, **arguments), edges, edge_index)
        try:
            return _exchanged(self.conv(x=x, edge_index=edges, **arguments), edges, edge_index)
        except (TypeError, AttributeError) as error:
            if "tuple" not in str(error):
                raise
            pairs = " and ".join(["x", *(name for name in self.at_points if arguments.get(name) is not None)])
            raise TypeError(
                f"expected {type(self.conv).__name__}.forward to take {pairs} as a pair (senders, receivers) and map "
                f"each of the two by itself before propagate, got one that takes {pairs} as one tensor ({error})"
            ) from error

    def reps_of(self, x: Tensor, d: int = 3) -> Representation:
        """The representation of features x, in a space of dimension d."""
        return self.reps.reps(x.shape[-1], d) if isinstance(self.reps, Messages) else self.reps

    def _with_loops(
        self, edge_index: Tensor, arguments: dict[str, Any], count: int, same: bool
    ) -> tuple[Tensor, dict[str, Any]]:
        if not same:
            raise ValueError("expected one set of points for self-loops, got senders and receivers")
        name = next((name for name in ("edge_attr", "edge_weight") if arguments.get(name) is not None), None)
        attribute = None if name is None else arguments[name]
        fill = getattr(self.conv, "fill_value", None) if name == "edge_attr" else None
        edge_index, attribute = remove_self_loops(edge_index, attribute)
        edge_index, attribute = add_self_loops(edge_index, attribute, fill_value=fill, num_nodes=count)
        return edge_index, arguments if name is None else {**arguments, name: attribute}

    def _argument(self, name: str, value: Any, edge_index: Tensor, senders: Frames, receivers: Frames) -> Any:
        """A further argument as the convolution gets it, in the receivers' frames."""
        if name == "pos":
            source, target = _pair(value)
            return local_edge_vectors(source, target, edge_index, receivers), torch.zeros_like(target)
        if name in self.world or name in self.at_points:
            source, target = _pair(value)
            arrived = _of_senders(source, name, edge_index, senders)
            if name in self.at_points:
                return arrived, target
            matrices = receivers.matrices.index_select(0, edge_index[1])
            return self.world[name].transform(arrived, matrices), receivers.to_local(target, self.world[name])
        if name == "edge_attr" and self.edge_reps is not None:
            check_rows(value, edge_index.shape[1], name, "edge")
            return self.edge_reps.transform(value, receivers.matrices.index_select(0, edge_index[1]))
        return value


def takes(conv: MessagePassing, name: str) -> bool:
    """Whether ``name`` is a further argument of the convolution's ``forward``, beside x, edge_index and pos."""
    return name in inspect.signature(conv.forward).parameters and name not in ("x", "edge_index", "pos")


def _of_senders(value: Tensor, name: str, edge_index: Tensor, senders: Frames) -> Tensor:
    """A tensor at the senders (S, ...), for each edge (E, ...)."""
    check_rows(value, senders.points, f"{name} of the senders")
    check_edges(edge_index, senders.points)
    return value.index_select(0, edge_index[0])


def _exchanged(result: Any, inner: Tensor, outer: Tensor) -> Any:
    """What a convolution returns, with the caller's edges in place of those it was called with, as beside attention
    weights (``return_attention_weights=True``)."""
    if type(result) is tuple:
        return tuple(_exchanged(part, inner, outer) for part in result)
    return outer if result is inner else result


def _pair(value: Any) -> tuple[Any, Any]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)
