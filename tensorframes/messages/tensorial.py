"""The base class of message passing with tensors as messages."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import MessagePassing

from tensorframes.frames import Frames
from tensorframes.geometry.checks import check_edges, check_rows
from tensorframes.geometry.edges import check_order
from tensorframes.messages.aggregation import degree_of
from tensorframes.messages.transport import arrive, both_ends, turned_by_receivers
from tensorframes.parallel import parallel_map
from tensorframes.reps import Representation, representation

CHUNK = 2048  # receivers computed at once where ``in_chunks``: their messages stay in the processor's cache
GIVEN = "_given"  # of propagate: arguments as they were given, for methods that take ``x`` itself
SENDER_ONLY = ("edge_index", "edge_index_j", "size_j", "size", "adj_t")


class TensorialMessagePassing(MessagePassing):
    r"""A ``MessagePassing`` whose declared arguments arrive in the receiver's frame.

    .. math:: f_i' = \psi\big(f_i, \mathrm{AGG}_j\, \phi(f_i, \rho(R_i R_j^T) f_j, \dots)\big)

    (Lippmann et al., arXiv 2405.15389, eq. 6). In ``message``, ``x_j`` of a declared ``x`` is already in the receiver's
    frame, and so is a declared feature of the edges; ``x_i``, ``x`` itself (as in ``update(out, x)``) and undeclared
    arguments are as PyG passes them.

    Args:
        transport: for each argument of ``propagate`` that is transported its representation, e.g. ``{"x": reps}``.
        edge_transport: for each argument that holds tensors on the edges (E, dim), in the world's frame, its
            representation, e.g. ``{"edge_attr": "1x1"}``: ``message`` sees :math:`\rho_e(R_i)\, e_{ij}`.
        aggr, others: as in ``torch_geometric.nn.MessagePassing`` (flow from source to target only).

    The transition is not a hook, because PyG skips hooks under ``torch.compile``. Each edge gets its own copy of
    its sender, already in the receiver's frame, and PyG then sees a bipartite graph in which edge k sends from row k.
    ``propagate`` is pinned on every subclass, because PyG's code template would replace it there.

    A subclass may set ``in_chunks``: for inference on a CPU, receivers are then processed in chunks, with the same
    result. It needs ``FixedDegree`` aggregations, edges sorted by receiver, and a ``message`` that reads nothing
    but ``x_i``, ``x_j`` and what has a row for each edge.

    Raises:
        TypeError: a subclass overrides ``propagate``, or a method of it takes an argument that such a graph lacks.
        ValueError: frames are no ``Frames``, or a feature does not fit its representation.
    """

    in_chunks = False

    def __init__(
        self,
        transport: Mapping[str, Representation | str],
        aggr: str | Sequence[str | torch.nn.Module] | torch.nn.Module | None = "sum",
        *,
        edge_transport: Mapping[str, Representation | str] | None = None,
        aggr_kwargs: dict[str, Any] | None = None,
        node_dim: int = -2,
    ) -> None:
        super().__init__(aggr, aggr_kwargs=aggr_kwargs, node_dim=node_dim)
        self.fixed_degree = degree_of(self.aggr_module)
        self.transport = {name: representation(reps) for name, reps in transport.items()}
        self.edge_transport = {name: representation(reps) for name, reps in (edge_transport or {}).items()}
        for method in ("message", "aggregate", "update"):
            for name in self.inspector.get_param_names(method):
                if name in SENDER_ONLY:
                    raise TypeError(
                        f"{type(self).__name__}.{method} cannot ask for {name!r}: each edge has its own sender"
                    )
        parameters = inspect.signature(self.message).parameters
        self._gathered = tuple(name[:-2] for name in self._user_args if name.endswith("_j"))
        self._whole = tuple(name for name in self._gathered if name in self._user_args)
        missing = [name for name in self.transport if name not in self._gathered]
        if missing:
            raise TypeError(f"{type(self).__name__}.message does not take {missing[0]}_j, which is declared to travel")
        unused = [name for name in self.edge_transport if name not in parameters]
        if unused:
            raise TypeError(f"{type(self).__name__}.message does not take {unused[0]}, which is declared on the edges")

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
            edge_index: (2, E); with ``FixedDegree`` aggregations sorted by receiver.
            size: numbers of senders and receivers; by default those of the frames.
            frames: of the points, or a pair (senders', receivers') of a bipartite graph.
            kwargs: the arguments of ``message`` without their endings, as in PyG; a pair for a bipartite graph.

        Returns:
            The aggregated messages, one row a receiver.

        Raises:
            ValueError: frames are no ``Frames`` or do not match ``size``, a feature does not fit its representation or
                has not a row for each frame (or edge), an edge joins points that are not there, or ``FixedDegree``
                aggregations get another number of edges, or edges in another order (see ``check_order``: on a CPU,
                eagerly).
        """
        senders, receivers = both_ends(frames)
        check_edges(edge_index)
        if size is not None and tuple(size) != (len(senders), len(receivers)):
            raise ValueError(f"expected size {(len(senders), len(receivers))}, that of the frames, got {tuple(size)}")
        given = {name: kwargs[name] for name in self._whole if name in kwargs}
        for name in kwargs.keys() & set(self._gathered):
            kwargs[name] = self._sent(name, kwargs[name], senders, receivers)
        self._check_graph(edge_index, senders, receivers, kwargs)
        if self.fixed_degree is not None and self._chunked(receivers):
            return self._in_chunks(edge_index, receivers, kwargs, self.fixed_degree)
        return self._serve(edge_index, receivers, kwargs, given)

    def _check_graph(
        self, edge_index: Tensor, senders: Frames, receivers: Frames, arguments: Mapping[str, Any]
    ) -> None:
        """Raise ValueError unless the edges join points that are there, their features have a row for each edge, and
        ``FixedDegree`` aggregations get their number of edges in order."""
        check_edges(edge_index, senders.points, receivers.points)
        for name in self.edge_transport:
            if isinstance(arguments.get(name), Tensor):
                check_rows(arguments[name], edge_index.shape[1], name, "edge")
        degree = self.fixed_degree
        if degree is None:
            return
        if edge_index.shape[1] != degree * receivers.points:
            raise ValueError(
                f"expected {degree} edges for each of {len(receivers)} receivers, got {edge_index.shape[1]} edges"
            )
        check_order(edge_index[1], receivers.points, degree)

    def _in_chunks(self, edge_index: Tensor, receivers: Frames, arguments: Mapping[str, Any], degree: int) -> Tensor:
        """``_serve`` for chunks of receivers, each with ``degree`` edges."""

        def of_chunk(start: int) -> Tensor:
            rows = slice(start, min(start + CHUNK, len(receivers)))
            edges = slice(rows.start * degree, rows.stop * degree)
            count = edge_index.shape[1]
            part = {name: self._part(name, value, rows, edges, count) for name, value in arguments.items()}
            chunk = edge_index[:, edges] - edge_index.new_tensor([[0], [start]])
            return self._serve(chunk, receivers.consecutive(rows), part, {})

        return torch.cat(parallel_map(of_chunk, range(0, len(receivers), CHUNK), edge_index.device))

    def _chunked(self, receivers: Frames) -> bool:
        if not self.in_chunks or self._whole or self.training:
            return False
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return False
        return receivers.matrices.device.type == "cpu" and len(receivers) > CHUNK

    def _sent(self, name: str, value: Any, senders: Frames, receivers: Frames) -> Any:
        """One argument of the points as a pair (senders', receivers'), the senders' in the world's frame.

        A single tensor is that of both, or of the senders alone where ``message`` and the like take no ``{name}_i``.
        """
        alone = value if f"{name}_i" in self._user_args else None
        source, target = value if isinstance(value, (tuple, list)) else (value, alone)
        self._check_points(f"{name} of the senders", source, senders, name in self.transport)
        self._check_points(f"{name} of the receivers", target, receivers)
        reps = self.transport.get(name)
        if source is None or reps is None:
            return source, target
        reps.check(source)
        return source if reps.is_invariant else senders.to_world(source, reps), target

    def _check_points(self, name: str, value: Any, frames: Frames, transported: bool = False) -> None:
        """Raise ValueError unless a tensor has a row for each frame; one that is transported in its first dimension."""
        if not isinstance(value, Tensor):
            return
        axis = self.node_dim + value.dim() if self.node_dim < 0 else self.node_dim
        if not 0 <= axis < value.dim() or value.shape[axis] != frames.points or (transported and axis != 0):
            raise ValueError(
                f"expected {name} with a row for each frame, {frames.points} in all, "
                f"got shape {tuple(value.shape)} with node_dim={self.node_dim}"
            )

    def _part(self, name: str, value: Any, rows: slice, edges: slice, count: int) -> Any:
        """One argument for a chunk of receivers: their rows, or those of their edges (``count`` in all)."""
        if name in self._gathered:
            source, target = value
            return source, target[rows] if isinstance(target, Tensor) else target
        return value[edges] if isinstance(value, Tensor) and value.dim() and len(value) == count else value

    def _serve(self, edge_index: Tensor, receivers: Frames, arguments: dict[str, Any], given: dict[str, Any]) -> Tensor:
        """PyG's own propagation on a graph where every edge has its own sender, in its receiver's frame."""
        arrived = dict(arguments)
        for name in arguments.keys() & set(self._gathered):
            source, target = arguments[name]
            if source is not None and name in self.transport:
                source = arrive(source, self.transport[name], edge_index, receivers, self.fixed_degree)
            elif source is not None:
                source = source.index_select(self.node_dim, edge_index[0])
            arrived[name] = (source, target)
        for name, reps in self.edge_transport.items():
            if arrived.get(name) is not None:
                arrived[name] = turned_by_receivers(arrived[name], reps, edge_index, receivers, self.fixed_degree)
        edges = torch.stack([torch.arange(edge_index.shape[1], device=edge_index.device), edge_index[1]])
        size = (edges.shape[1], receivers.points)
        out: Tensor = MessagePassing.propagate(self, edges, size=size, **arrived, **{GIVEN: given})
        return out

    def _collect(self, args: Any, edge_index: Any, size: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments of ``message``, ``aggregate`` and ``update`` as PyG collects them, whole ones as given.

        Those that are missing are left out, so that PyG uses the method's default or reports that there is none.
        """
        collected = {**super()._collect(args, edge_index, size, kwargs), **kwargs.get(GIVEN, {})}
        return {name: value for name, value in collected.items() if value is not inspect.Parameter.empty}

    def _lift(self, src: Tensor, edge_index: Tensor, dim: int) -> Tensor:
        """PyG's gathering of ``x_j`` (dim 0) and ``x_i`` (dim 1) for the edges.

        Edge k sends from row k: what is sent has its place, and gathering it would copy it, forward and backward.
        Receivers of the same number of edges each are repeated, whose gradient is a sum instead of a scattered one.
        """
        if dim == 0:
            return src
        if self.fixed_degree is not None:
            return src.repeat_interleave(self.fixed_degree, dim=self.node_dim, output_size=edge_index.shape[1])
        lifted: Tensor = super()._lift(src, edge_index, dim)
        return lifted
