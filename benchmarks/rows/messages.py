"""One layer of messages between local frames, over the same layer without frames: time and memory.

``max_j ReLU(Linear([x_i, x_j]))``, 16x0 + 8x1 + 4x2 (76 numbers) to 64 channels, 16 neighbours, forward and backward.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from benchmarks.harness import Row, Settings, can_compile, interleaved, peak_bytes, ratio
from tensorframes.frames import Frames
from tensorframes.geometry import knn_graph
from tensorframes.messages import TensorialMessagePassing
from tensorframes.reps import TensorReps
from tensorframes.testing import random_orthogonal

REPS, CHANNELS, NEIGHBOURS = TensorReps("16x0 + 8x1 + 4x2"), 64, 16


class PlainConv(MessagePassing):
    """Without frames."""

    def __init__(self) -> None:
        super().__init__(aggr="max")
        self.mlp = nn.Sequential(nn.Linear(2 * REPS.dim, CHANNELS), nn.ReLU())

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Features (N, 76) to (N, 64)."""
        return self.propagate(edge_index, x=x)

    def message(self, x_i: Tensor, x_j: Tensor) -> Tensor:
        """The message of one edge."""
        return self.mlp(torch.cat([x_i, x_j], -1))


class MyConv(TensorialMessagePassing):
    """The same; ``x_j`` arrives in the frame of i."""

    def __init__(self) -> None:
        super().__init__(transport={"x": REPS}, aggr="max")
        self.mlp = nn.Sequential(nn.Linear(2 * REPS.dim, CHANNELS), nn.ReLU())

    def forward(self, x: Tensor, edge_index: Tensor, frames: Frames) -> Tensor:
        """Features (N, 76) to (N, 64)."""
        return self.propagate(edge_index, x=x, frames=frames)

    def message(self, x_i: Tensor, x_j: Tensor) -> Tensor:
        """The message of one edge."""
        return self.mlp(torch.cat([x_i, x_j], -1))


def passes(settings: Settings, compiled: bool, learned: bool = False) -> dict[str, Callable[[], None]]:
    """Forward and backward pass of both layers; ``learned``: the frames have gradients, too."""
    points, device = settings.size(8192, 512), settings.device
    torch.manual_seed(0)
    pos = torch.randn(points, 3)
    edge_index = knn_graph(pos, NEIGHBOURS).to(device)
    matrices = random_orthogonal(points, dtype=torch.float32).to(device).requires_grad_(learned)
    frames = Frames(matrices)
    x = torch.randn(points, REPS.dim, device=device, requires_grad=True)
    made: dict[str, Callable[[], None]] = {}
    for name, layer, given in (("frames", MyConv(), (frames,)), ("plain", PlainConv(), ())):
        layer = layer.to(device)
        call = torch.compile(layer) if compiled else layer

        def work(layer: nn.Module = layer, call: Callable[..., Tensor] = call, given: tuple = given) -> None:
            layer.zero_grad()
            x.grad = matrices.grad = None
            call(x, edge_index, *given).square().sum().backward()

        made[name] = work
    return made


def measured(settings: Settings) -> Iterator[Row]:
    """Eager time, compiled time, and eager memory, that with learned frames as well."""
    judged, repeats = not settings.quick, settings.size(15, 2)
    works = passes(settings, compiled=False)
    taken = interleaved(works, repeats, settings.device)
    yield ratio("messages: frames over none, eager", 1.40, taken["frames"], taken["plain"], judged)
    yield compiled_row(settings, repeats)
    for learned, what in ((False, "frames"), (True, "learned frames")):
        works = passes(settings, compiled=False, learned=learned)
        peak = {name: peak_bytes(work, settings.device) for name, work in works.items()}
        note = f"{peak['frames'] / 2**20:.0f} and {peak['plain'] / 2**20:.0f} MiB"
        quotient = peak["frames"] / peak["plain"]
        yield Row(f"messages: {what} over none, peak memory", 1.3, "x", quotient, judged=judged, note=note)


def compiled_row(settings: Settings, repeats: int) -> Row:
    """Both compiled by inductor, in the note with the time of eager layers."""
    what = "messages: frames over none, compiled"
    if settings.quick or not can_compile():
        return Row(what, 1.20, "x", note="left out of --quick" if settings.quick else "no C++ compiler here")
    works = {f"compiled {name}": work for name, work in passes(settings, compiled=True).items()}
    taken = interleaved({**works, **passes(settings, compiled=False)}, repeats, settings.device, warm_up=3)
    faster = ratio("", 0, taken["compiled frames"], taken["frames"], True).measured
    return ratio(
        what, 1.20, taken["compiled frames"], taken["compiled plain"], True, f"compiled over eager: {faster:.2f}"
    )
