"""Checks of arguments: one sentence per mistake."""

from numbers import Integral

import torch
from torch import Tensor

LARGEST = 1e150
"""Largest coordinate in float64; the square of a distance between larger ones may be infinite."""


def check_points(pos: object, name: str = "pos") -> None:
    """Raise ValueError unless `pos` is a finite floating point (N, d) tensor, d >= 1, of at most LARGEST."""
    if not isinstance(pos, Tensor):
        raise ValueError(f"expected {name}, a tensor of shape (N, d), got {type(pos).__name__}")
    if pos.dim() != 2 or pos.shape[1] == 0:
        raise ValueError(f"expected {name} of shape (N, d), got {tuple(pos.shape)}")
    if not pos.is_floating_point():
        raise ValueError(f"expected floating point {name}, got {pos.dtype}")
    if not bool(torch.isfinite(pos).all()):
        raise ValueError(f"expected finite {name}, got NaN or infinite coordinates")
    if pos.dtype == torch.float64 and bool((pos.abs() > LARGEST).any()):
        raise ValueError(f"expected {name} of at most {LARGEST:g}, got {pos.abs().max().item():g}")


def check_batch(batch: Tensor | None, pos: Tensor, name: str = "batch") -> Tensor:
    """The cloud of every row, (N,) int64, zeros for None. Raise ValueError unless ascending, whole and not negative."""
    if batch is None:
        return torch.zeros(len(pos), dtype=torch.long, device=pos.device)
    if batch.shape != pos.shape[:1]:
        raise ValueError(f"expected {name} of shape ({len(pos)},), got {tuple(batch.shape)}")
    if batch.is_floating_point() or batch.is_complex() or batch.dtype == torch.bool:
        raise ValueError(f"expected an integer {name}, got {batch.dtype}")
    batch = batch.to(pos.device, torch.long)
    if len(batch) and (bool((batch.diff() < 0).any()) or int(batch[0]) < 0):
        raise ValueError(f"expected {name} sorted ascending from 0 or more, got {name} out of order or negative")
    return batch


def check_edges(edge_index: object, senders: int | None = None, receivers: int | None = None) -> None:
    """Raise ValueError unless `edge_index` is a dense tensor (2, E) of int64 or int32.

    With the numbers of senders and receivers its rows must be below them; on a CPU alone, where looking costs little.
    """
    if not isinstance(edge_index, Tensor):
        raise ValueError(f"expected edge_index, a tensor of shape (2, E), got {type(edge_index).__name__}")
    if edge_index.layout != torch.strided:
        raise ValueError("expected edge_index of shape (2, E), got a sparse matrix (PyG: to_edge_index)")
    if edge_index.dim() != 2 or edge_index.shape[0] != 2:
        raise ValueError(f"expected edge_index of shape (2, E), got {tuple(edge_index.shape)}")
    if edge_index.dtype not in (torch.int64, torch.int32):
        raise ValueError(f"expected an integer edge_index, got {edge_index.dtype}")
    counts = {row: count for row, count in enumerate((senders, receivers)) if count is not None}
    traced = torch.compiler.is_compiling() or torch.jit.is_tracing()
    if traced or not counts or edge_index.device.type != "cpu" or edge_index.shape[1] == 0:
        return
    low, high = edge_index.aminmax()
    if int(low) >= 0 and int(high) < min(counts.values()):
        return
    for row, count in counts.items():
        least, most = (int(end) for end in edge_index[row].aminmax())
        if least < 0 or most >= count:
            points, got = ("senders", "receivers")[row], least if least < 0 else most
            raise ValueError(f"expected edge_index[{row}] of at least 0 and below {count}, the {points}, got {got}")


def check_rows(value: Tensor, count: int, name: str, each: str = "frame") -> None:
    """Raise ValueError unless `value` has a row for each of `count` frames, or of what `each` says."""
    if value.dim() == 0 or value.shape[0] != count:
        raise ValueError(f"expected {name} with a row for each {each}, {count} in all, got shape {tuple(value.shape)}")


def check_count(k: object, name: str = "k") -> None:
    """Raise ValueError unless k is a whole number of at least 1."""
    if isinstance(k, bool) or not isinstance(k, Integral) or k < 1:
        raise ValueError(f"expected a whole number {name} >= 1, got {k!r}")


def clouds_in(batch: Tensor) -> int:
    """Number of clouds in a sorted batch vector: one more than its last entry, and 1 when it is empty."""
    return int(batch[-1]) + 1 if len(batch) else 1


def per_cloud(value: Tensor | float, batch: Tensor, name: str) -> Tensor:
    """A length for each cloud, (B,) float64, from a number or a (B,) tensor; ValueError unless finite and positive."""
    lengths = torch.as_tensor(value, dtype=torch.float64, device=batch.device).detach()
    count = clouds_in(batch)
    if lengths.dim() > 1 or (lengths.dim() == 1 and 1 != len(lengths) < count):
        raise ValueError(f"expected {name} to be a number or of shape ({count},), got {tuple(lengths.shape)}")
    if not bool((torch.isfinite(lengths) & (lengths > 0)).all()):
        worst = lengths[~(torch.isfinite(lengths) & (lengths > 0))].flatten()[0]
        raise ValueError(f"expected a positive, finite {name}, got {worst.item():g}")
    return lengths.expand(count) if lengths.numel() == 1 else lengths
