"""Whole networks of PyG in local frames: every convolution in a module is wrapped in place."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule
from torch_geometric.nn import HeteroConv, MessagePassing
from torch_geometric.nn.module_dict import ModuleDict
from torch_geometric.typing import EdgeType

from tensorframes.frames import Frames
from tensorframes.messages.kinds import Messages
from tensorframes.messages.same_keys import use_keys_of
from tensorframes.messages.wrap import InLocalFrames, takes
from tensorframes.reps import Representation, representation

AnyFrames = Frames | tuple[Frames, Frames] | Mapping[str, Frames]


def in_local_frames(
    network: nn.Module,
    reps: Representation | Messages | str,
    edge_reps: Representation | str | None = None,
    world: Mapping[str, Representation | str] | None = None,
    partial: bool = False,
) -> LocalFramesNetwork:
    """A network with every PyG convolution in it wrapped; called as before, with ``frames`` in addition.

    Convolutions with ``add_self_loops=True`` are given their loops before the senders are copied. The network is
    changed in place: its parameters stay the same objects, and its state keeps its keys: ``state_dict()`` of the plain
    network loads into the converted one, and the other way round. The names of its parameters are longer than these
    keys: ``torch.func.functional_call`` takes ``dict(network.named_parameters())`` (and ``named_buffers()``), not the
    ``state_dict()``, and ``load_state_dict(strict=False)`` returns missing keys by those names.

    In a ``HeteroConv``, and in a network of PyG's ``to_hetero``, each convolution is converted, and the network is
    called with frames by node type, ``{"paper": Frames, "author": Frames}``; results of several edge types meet in
    their receivers' frames.

    Other layers that mix points, such as pooling, norms over a graph and the global attention in ``GPSConv``, stay as
    they are. Their inputs are invariant, so that the network stays equivariant, but they mix features of points without
    transforming them between frames.

    Args:
        network: any module; PyG's own models too.
        reps: of the features between its convolutions. Usually a ``Messages``, because widths differ.
        edge_reps, world: as in ``InLocalFrames``.
        partial: leave a convolution that cannot be converted as it is. The network is then not equivariant.

    Raises:
        ValueError: one of them cannot be converted (all are named, with reasons), or is already; there is none; none
            takes what ``world`` names, or edge_attr for ``edge_reps``; or reps are no representation.
    """
    return LocalFramesNetwork(network, reps, edge_reps, world, partial)


class LocalFramesNetwork(nn.Module):
    """See ``in_local_frames``. ``converted``: names of convolutions; ``refused``: name -> why not."""

    def __init__(
        self,
        network: nn.Module,
        reps: Representation | Messages | str,
        edge_reps: Representation | str | None,
        world: Mapping[str, Representation | str] | None,
        partial: bool,
    ) -> None:
        super().__init__()
        reps = reps if isinstance(reps, Messages) else representation(reps)
        edge_reps = None if edge_reps is None else representation(edge_reps)
        in_world = {key: representation(value) for key, value in (world or {}).items()}
        self.scope = Scope()
        self.converted: list[str] = []
        self.refused: dict[str, str] = {}
        self.network = network
        use_keys_of(self, "network")
        wrappers, places = Wrappers(self.scope, reps, edge_reps, in_world), _convolutions(self, "", None)
        wrappers.check_used([getattr(module, name) for module, name, _, _ in places])
        for module, name, path, edge_type in places:
            shown = path.removeprefix("network.")
            try:
                setattr(module, name, wrappers.of(getattr(module, name), edge_type))
                self.converted.append(shown)
            except ValueError as error:
                self.refused[shown] = str(error).partition(", got ")[2]
        self._check_converted(partial)

    def _check_converted(self, partial: bool) -> None:
        """Raise ValueError if there is no convolution in local frames or, unless ``partial``, another one."""
        if self.refused and not partial:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self.refused.items())
            raise ValueError(f"expected convolutions that work in local frames, got {reasons}")
        if not self.converted:
            raise ValueError(f"expected a network with PyG convolutions, got none in {type(self.network).__name__}")

    def forward(self, *args: Any, frames: AnyFrames, **kwargs: Any) -> Any:
        """The network's own arguments, and the frames of the points: a pair (senders', receivers') for a bipartite
        graph, or by node type where the network has a ``HeteroConv`` or is made by ``to_hetero``."""
        self.scope.frames = frames
        try:
            return self.network(*args, **kwargs)
        finally:
            self.scope.frames = None


class Scope(threading.local):
    """The frames of the call that is running; each thread has its own."""

    frames: AnyFrames | None = None

    def of(self, edge_type: EdgeType | None) -> Frames | tuple[Frames, Frames]:
        """The frames of senders and receivers, one set where they are the same points.

        Raises:
            ValueError: no call is running, or its frames are not what this convolution needs.
        """
        frames = self.frames
        if frames is None:
            raise ValueError(
                "expected a call of the network made by in_local_frames, which brings the frames; "
                "torch.utils.checkpoint goes around that call, not inside"
            )
        if edge_type is None:
            if isinstance(frames, Mapping):
                raise ValueError(
                    "expected frames by node type for convolutions in a HeteroConv (or a network of to_hetero) alone, "
                    "got one outside"
                )
            return frames
        ends = (edge_type[0], edge_type[-1])
        types = list(frames) if isinstance(frames, Mapping) else []
        if not isinstance(frames, Mapping) or not set(ends) <= set(types):
            got = f"those of {', '.join(types)}" if types else "frames without node types"
            raise ValueError(f"expected frames by node type, of {' and '.join(dict.fromkeys(ends))}, got {got}")
        return frames[ends[0]] if ends[0] == ends[1] else (frames[ends[0]], frames[ends[1]])

    def __reduce__(self) -> tuple[type[Scope], tuple[()]]:
        return Scope, ()


class InScope(nn.Module):
    """A wrapped convolution with the signature of the one inside; frames come from the network's call.

    ``edge_type``: (senders' node type, relation, receivers' node type) of a convolution for one kind of edges.
    """

    def __init__(self, inner: InLocalFrames, scope: Scope, edge_type: EdgeType | None = None) -> None:
        super().__init__()
        self.inner, self.scope, self.edge_type = inner, scope, edge_type
        self.signature = inspect.signature(inner.conv.forward)
        use_keys_of(self, "inner")

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        if not torch.compiler.is_compiling():
            self._check(args, kwargs)
        arguments = {**dict(zip(self.inner.names, args, strict=False)), **kwargs}
        frames = self.scope.of(self.edge_type)
        return self.inner(arguments.pop("x"), arguments.pop("edge_index"), frames, **arguments)

    def _check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise TypeError where the convolution itself would."""
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type(self.inner.conv).__name__}.forward: {error}") from None

    def reset_parameters(self) -> None:
        """As PyG's models expect of a convolution."""
        self.inner.conv.reset_parameters()


@dataclass
class Wrappers:
    """The wrapped convolutions of a network.

    Args:
        scope: of the network. reps, edge_reps, world: as in ``InLocalFrames``, of all convolutions.
        made: one for each convolution and edge type.
    """

    scope: Scope
    reps: Representation | Messages
    edge_reps: Representation | None
    world: Mapping[str, Representation]
    made: dict[tuple[nn.Module, EdgeType | None], InScope] = field(default_factory=dict)

    def check_used(self, convs: Sequence[nn.Module]) -> None:
        """Raise ValueError if none of the convolutions takes edge_attr for ``edge_reps``, or a name in ``world``."""
        unused = [key for key in self.world if not any(takes(conv, key) for conv in convs)]
        if unused:
            raise ValueError(f"expected world to name arguments of a convolution in the network, got {unused[0]!r}")
        if self.edge_reps is not None and convs and not any(takes(conv, "edge_attr") for conv in convs):
            raise ValueError(f"expected edge_reps for convolutions that take edge_attr, got {type(convs[0]).__name__}")

    def of(self, conv: nn.Module, edge_type: EdgeType | None) -> InScope:
        """The wrapped convolution.

        Raises:
            ValueError: it cannot be converted, or is for another edge type, too.
        """
        if isinstance(conv, InScope):  # in a module that occurs twice
            if conv.edge_type != edge_type:
                raise ValueError("expected a module for each edge type, got one module for two")
            return conv
        if (conv, edge_type) not in self.made:
            world = {key: value for key, value in self.world.items() if takes(conv, key)}
            edges = self.edge_reps if takes(conv, "edge_attr") else None
            inner = _with_loops_outside(conv, lambda loops: InLocalFrames(conv, self.reps, edges, world, loops))
            self.made[conv, edge_type] = InScope(inner, self.scope, edge_type)
        return self.made[conv, edge_type]


def _with_loops_outside(conv: MessagePassing, make: Callable[[bool], InLocalFrames]) -> InLocalFrames:
    """``make(loops)`` after the convolution's own self-loops are switched off; they stay on if ``make`` raises."""
    loops = bool(getattr(conv, "add_self_loops", False))
    if loops:
        conv.add_self_loops = False
    try:
        return make(loops)
    except ValueError:
        if loops:
            conv.add_self_loops = True
        raise


def _convolutions(
    module: nn.Module, path: str, edge_type: EdgeType | None, hetero: bool = False
) -> list[tuple[nn.Module, str, str, EdgeType | None]]:
    """Every convolution below ``module``: its parent, its name there, its path, and its edge type if it is the name of
    a dictionary's entry in a ``HeteroConv`` or in a network of ``to_hetero`` (``hetero``: below one of these)."""
    places = []
    hetero = hetero or isinstance(module, HeteroConv | GraphModule)
    for name, child in module._modules.items():  # named_children leaves out a module that occurs twice
        if child is None:
            continue
        where = f"{path}.{name}" if path else name
        kind = (hetero and isinstance(module, nn.ModuleDict) and _edge_type(name)) or edge_type
        if isinstance(child, (InLocalFrames, InScope)):
            raise ValueError(
                f"expected plain convolutions, got {where.removeprefix('network.')} in local frames already"
            )
        if isinstance(child, MessagePassing):
            places.append((module, name, where, kind))
        else:
            places += _convolutions(child, where, kind, hetero)
    return places


def _edge_type(name: str) -> EdgeType | None:
    """The edge type that an entry of a dictionary is named by, in a ``HeteroConv`` or by ``to_hetero``; else None."""
    key = ModuleDict.to_external_key(name)
    parts = tuple(name.split("__")) if isinstance(key, str) else key
    return parts if len(parts) == 3 else None
