"""Way 1: change the base class of a message passing network, and say what travels and how."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import MessagePassing

from tensorframes.frames import Frames
from tensorframes.messages.transport import transport
from tensorframes.reps import Representation, representation

SENDER_ONLY = ("edge_index", "edge_index_j", "size_j", "size", "adj_t")


class TensorialMessagePassing(MessagePassing):
    r"""A ``MessagePassing`` whose declared arguments arrive in the receiver's frame.

    .. math:: f_i' = \psi\big(f_i, \mathrm{AGG}_j\, \phi(f_i, \rho(R_i R_j^T) f_j, \dots)\big)

    (Lippmann et al., arXiv 2405.15389, eq. 6). In ``message``, ``x_j`` of a declared ``x`` has already arrived, and so
    has a declared feature of the edges; ``x_i`` and what is not declared is as PyG gives it.

    Args:
        transport: for each travelling argument of ``propagate`` its representation, e.g. ``{"x": reps}``.
        edge_transport: for each argument that holds tensors on the edges (E, dim), told in the world's frame, its
            representation, e.g. ``{"edge_attr": "1x1"}``: ``message`` sees :math:`\rho_e(R_i)\, e_{ij}`.
        aggr, others: as in ``torch_geometric.nn.MessagePassing`` (flow from source to target only).

    The transition does not live in a hook (PyG skips its hooks under ``torch.compile``). Each edge gets its own copy of
    its sender, already in the receiver's frame, and PyG then sees a bipartite graph in which edge k sends from row k.
    ``propagate`` is pinned on every subclass, because PyG's code template would replace it there.

    Raises:
        TypeError: a subclass overrides ``propagate``, or its ``message`` asks for what has no meaning on such a graph.
        ValueError: frames are missing, or a feature does not fit its representation.
    """

    def __init__(
        self,
        transport: Mapping[str, Representation | str],
        aggr: str | list[str] | torch.nn.Module | None = "sum",
        *,
        edge_transport: Mapping[str, Representation | str] | None = None,
        aggr_kwargs: dict[str, Any] | None = None,
        node_dim: int = -2,
    ) -> None:
        super().__init__(aggr, aggr_kwargs=aggr_kwargs, node_dim=node_dim)
        self.transport = {name: representation(reps) for name, reps in transport.items()}
        self.edge_transport = {name: representation(reps) for name, reps in (edge_transport or {}).items()}
        parameters = inspect.signature(self.message).parameters
        for name in SENDER_ONLY:
            if name in parameters:
                raise TypeError(f"{type(self).__name__}.message cannot ask for {name!r}: each edge has its own sender")
        self._gathered = tuple(name[:-2] for name in parameters if name.endswith("_j"))
        missing = [name for name in self.transport if name not in self._gathered]
        if missing:
            raise TypeError(f"{type(self).__name__}.message does not take {missing[0]}_j, which is declared to travel")
        unseen = [name for name in self.edge_transport if name not in parameters]
        if unseen:
            raise TypeError(f"{type(self).__name__}.message does not take {unseen[0]}, which is declared on the edges")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ("propagate", "edge_updater", "edge_update", "message_and_aggregate"):
            if name in cls.__dict__:
                raise TypeError(
                    f"{cls.__name__} overrides {name}, where the transition happens; override message instead"
                )
        type.__setattr__(cls, "propagate", TensorialMessagePassing.propagate)

    def propagate(
        self,
        edge_index: Tensor,
        size: tuple[int, int] | None = None,
        *,
        frames: Frames | tuple[Frames, Frames],
        **kwargs: Any,
    ) -> Tensor:
        """Send messages along edge_index (2, E), row 0 to row 1.

        Args:
            edge_index: (2, E).
            size: numbers of senders and receivers; by default those of the frames.
            frames: of the points, or a pair (senders', receivers') of a bipartite graph.
            kwargs: the arguments of ``message`` without their endings, as in PyG; a pair for a bipartite graph.
        """
        senders, receivers = frames if isinstance(frames, tuple) else (frames, frames)
        if not isinstance(senders, Frames) or not isinstance(receivers, Frames):
            raise ValueError(f"expected frames=Frames or a pair of Frames, got {type(frames).__name__}")
        if size is not None and tuple(size) != (len(senders), len(receivers)):
            raise ValueError(f"expected size {(len(senders), len(receivers))}, that of the frames, got {tuple(size)}")
        arrived = dict(kwargs)
        for name in self._gathered:
            arrived[name] = self._arrive(name, kwargs.get(name), edge_index, senders, receivers)
        for name, reps in self.edge_transport.items():
            if arrived.get(name) is not None:
                arrived[name] = reps.transform(arrived[name], receivers.matrices.index_select(0, edge_index[1]))
        edges = torch.stack([torch.arange(edge_index.shape[1], device=edge_index.device), edge_index[1]])
        out: Tensor = MessagePassing.propagate(self, edges, size=(edges.shape[1], len(receivers)), **arrived)
        return out

    def _arrive(self, name: str, value: Any, edge_index: Tensor, senders: Frames, receivers: Frames) -> Any:
        """One argument as the pair (a row per edge, a row per receiver) that PyG gathers."""
        source, target = value if isinstance(value, (tuple, list)) else (value, value)
        if source is None:
            return value
        if name in self.transport:
            return transport(source, self.transport[name], edge_index, senders, receivers), target
        return source.index_select(self.node_dim, edge_index[0]), target
