"""Pieces of work that do not depend on each other, side by side on the processor's cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

import torch

Piece = TypeVar("Piece")
Result = TypeVar("Result")

_alone = Lock()  # the number of torch's threads is one for the whole process


def side_by_side(work: Callable[[Piece], Result], pieces: Sequence[Piece], device: torch.device) -> list[Result]:
    """``work`` of each piece, in order; outside training on a CPU with a thread for each of torch's.

    Every thread then does whole pieces by itself, where torch would share out each operation among all of them and wait
    for the last one each time: what is too small to be shared is done side by side, too, and a core that is taken by
    another program holds nobody up. The results are the same. Meanwhile torch has one thread in this process; who asks
    at the same time works alone.

    Args:
        work: a function that changes nothing but what it returns. pieces: its arguments. device: where it computes.
    """
    threads = min(torch.get_num_threads(), len(pieces))
    if threads < 2 or device.type != "cpu" or not _may_share() or not _alone.acquire(blocking=False):
        return [work(piece) for piece in pieces]
    before, inference = torch.get_num_threads(), torch.is_inference_mode_enabled()

    def done(piece: Piece) -> Result:
        with torch.inference_mode(inference), torch.no_grad():
            return work(piece)

    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(done, pieces))
    finally:
        torch.set_num_threads(before)
        _alone.release()


def _may_share() -> bool:
    """Whether other threads would compute as this one does: gradients and lower precision are each thread's own."""
    return not (torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu"))
