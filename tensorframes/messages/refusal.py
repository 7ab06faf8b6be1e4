"""Why a PyG convolution cannot be used unchanged in local frames."""

from __future__ import annotations

import inspect
import typing

from torch import nn
from torch_geometric.nn import HeteroConv, MessagePassing

from tensorframes.messages.tensorial import TensorialMessagePassing


def refusal(conv: nn.Module) -> str | None:
    """The reason, in one line; None where the convolution may be wrapped.

    Each edge will have its own sender. That is a bipartite graph, so the convolution must take a pair (senders,
    receivers), and it must not use what this changes in the graph: degrees of senders, self-loops, neighbours of
    neighbours.
    """
    if isinstance(conv, HeteroConv):
        return "it holds a convolution for each kind of edges; in_local_frames wraps them all"
    if not isinstance(conv, MessagePassing):
        return "it is not a MessagePassing"
    if isinstance(conv, TensorialMessagePassing):
        return "it transports its features itself; call it with frames"
    if conv.flow != "source_to_target":
        return 'its flow is "target_to_source"; turn edge_index around instead'
    parameters = inspect.signature(conv.forward).parameters
    if "edge_index_dict" in parameters:
        return "it takes several graphs at once; use HeteroConv, with a convolution for each kind of edges"
    if "edge_index" not in parameters:
        return "it takes no edge_index: the graph is its own, or there are several"
    if "x" not in parameters:
        return "it takes no features x of the points"
    if not accepts_pairs(conv):
        if not type(conv).__module__.startswith("torch_geometric."):
            return (
                "its forward is annotated x: Tensor, and it gets a pair (senders, receivers); if it takes "
                "one, annotate x: Tensor | tuple[Tensor, Tensor]"
            )
        return "it takes no pair (senders, receivers): it needs every sender once, for its degree or its own update"
    if getattr(conv, "add_self_loops", False):
        return (
            "add_self_loops=True would join edge k to point k; build it with add_self_loops=False, and let "
            "InLocalFrames(..., self_loops=True) add them"
        )
    return None


def accepts_pairs(conv: MessagePassing) -> bool:
    """Whether ``x`` of its ``forward`` may be a pair, by its annotation; assumed where there is none."""
    if inspect.signature(conv.forward).parameters["x"].annotation is inspect.Parameter.empty:
        return True
    try:
        annotation = typing.get_type_hints(type(conv).forward)["x"]
    except (NameError, KeyError):
        return True
    options = typing.get_args(annotation) or (annotation,)
    return any(typing.get_origin(option) is tuple or option is typing.Any for option in (annotation, *options))
