"""A convolution of PyG, unchanged, on features in local frames."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import add_self_loops, remove_self_loops

from tensorframes.frames import Frames
from tensorframes.geometry.checks import check_edges
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
    - all other arguments are passed on unchanged, and must be invariant.

    Args:
        conv: the convolution.
        reps: the representation of x, or its text; or a ``Messages``, which gives it by the width of x.
        edge_reps: of edge_attr; None where it is invariant.
        world: representations of further arguments that hold a tensor for each point.
        self_loops: add a loop at every point first, as PyG does for ``add_self_loops=True`` (existing ones are dropped,
            attributes filled by ``conv.fill_value``). Only where senders are receivers.

    Raises:
        ValueError: the convolution cannot be used in this way (see ``refusal``), reps are no representation, or
            self-loops are requested on a bipartite graph.
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
        declared = {**VECTORS, **(world or {})}
        self.world = {name: representation(reps) for name, reps in declared.items()}
        self.names = tuple(inspect.signature(conv.forward).parameters)

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
        for name, value in arguments.items():
            if name == "pos":
                source, target = _pair(value)
                edge = local_edge_vectors(source, target, edge_index, receivers)
                arguments[name] = (edge, torch.zeros_like(target))
            elif name in self.world and value is not None:
                arguments[name] = self._at_receivers(value, self.world[name], edge_index, receivers)
            elif name == "edge_attr" and self.edge_reps is not None and value is not None:
                arguments[name] = self.edge_reps.transform(value, receivers.matrices.index_select(0, edge_index[1]))
        if x is not None:
            source, target = _pair(x)
            x = (transport(source, self.reps_of(source, senders.d), edge_index, senders, receivers), target)
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
            raise TypeError(
                f"expected {type(self.conv).__name__}.forward to take x as a pair (senders, receivers) and map each of "
                f"the two by itself before propagate, got one that takes x as one tensor ({error})"
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

    @staticmethod
    def _at_receivers(value: Any, reps: Representation, edge_index: Tensor, receivers: Frames) -> tuple[Tensor, Tensor]:
        """Tensors at senders and receivers, from the world's frame to each receiver's."""
        source, target = _pair(value)
        arrived = reps.transform(
            source.index_select(0, edge_index[0]), receivers.matrices.index_select(0, edge_index[1])
        )
        return arrived, receivers.to_local(target, reps)


def _exchanged(result: Any, inner: Tensor, outer: Tensor) -> Any:
    """What a convolution returns, with the caller's edges in place of those it was called with, as beside attention
    weights (``return_attention_weights=True``)."""
    if type(result) is tuple:
        return tuple(_exchanged(part, inner, outer) for part in result)
    return outer if result is inner else result


def _pair(value: Any) -> tuple[Any, Any]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)
