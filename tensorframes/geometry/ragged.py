"""Lists of different lengths as flat tensors, enumerated in chunks of bounded size."""

from collections.abc import Iterator

import torch
from torch import Tensor

CHUNK = 1 << 22  # numbers in one temporary tensor: 32 MiB of float64


def chunks(rows: Tensor, size: int) -> Iterator[Tensor]:
    """`rows` in consecutive slices of `size`; none at all where there are no rows (Tensor.split gives an empty one)."""
    for begin in range(0, len(rows), size):
        yield rows[begin : begin + size]


def chunks_by_total(count: Tensor, limit: int = CHUNK) -> Iterator[slice]:
    """Consecutive slices of lines whose counts (L,) add up to at most `limit`; a longer line is a slice of its own."""
    total = count.cumsum(0)
    begin, done = 0, 0
    while begin < len(count):
        end = max(begin + 1, int(torch.searchsorted(total, done + limit, right=True)))
        yield slice(begin, end)
        begin, done = end, int(total[end - 1])


def enumerate_ranges(start: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """(line, position) of every entry of the ranges start[l] .. start[l] + count[l] - 1, line by line."""
    line = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    before = count.cumsum(0) - count
    return line, torch.arange(len(line), device=count.device) + (start - before)[line]
