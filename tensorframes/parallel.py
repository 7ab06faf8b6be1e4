"""Pieces of work that do not depend on each other, side by side on the processor's cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock, local
from typing import TypeVar

import torch

Piece = TypeVar("Piece")
Result = TypeVar("Result")

_alone = Lock()  # the number of torch's threads is one for the whole process
_here = local()  # in a thread that works on a piece: ``is_part``


def parallel_map(work: Callable[[Piece], Result], pieces: Sequence[Piece], device: torch.device) -> list[Result]:
    """``work`` of each piece, in order; outside training on a CPU with a thread for each of torch's.

    Every thread then does whole pieces by itself, where torch would share out each operation among all of them and wait
    for the last one each time: what is too small to be shared is done side by side, too, and a core that is taken by
    another program holds nobody up. The results are the same. Where there are fewer pieces than threads each has its
    share of the rest, for its operations and for pieces of its own. Meanwhile torch has only these threads in this
    process; who asks at the same time works alone.

    Args:
        work: a function that changes nothing but what it returns. pieces: its arguments. device: where it computes.
    """
    threads = min(torch.get_num_threads(), len(pieces))
    if threads < 2 or device.type != "cpu" or not _may_share():
        return [work(piece) for piece in pieces]
    share, inference = torch.get_num_threads() // threads, torch.is_inference_mode_enabled()

    def begin() -> None:
        torch.set_num_threads(share)
        _here.is_part = True

    def done(piece: Piece) -> Result:
        with torch.inference_mode(inference), torch.no_grad():
            return work(piece)

    with _threads_claimed() as ours:
        if not ours:
            return [work(piece) for piece in pieces]
        with ThreadPoolExecutor(threads, initializer=begin) as pool:
            return list(pool.map(done, pieces))


@contextmanager
def one_thread(device: torch.device) -> Iterator[None]:
    """On a CPU torch's operations in one thread: for many small ones, which sharing makes little faster, and far slower
    where another program has one of the cores."""
    if torch.get_num_threads() < 2 or device.type != "cpu" or torch.compiler.is_compiling():
        yield
        return
    with _threads_claimed() as ours:
        if ours:
            torch.set_num_threads(1)
        yield


@contextmanager
def _threads_claimed() -> Iterator[bool]:
    """Whether the number of torch's threads may be changed: by one caller at a time, and by the pieces it works on.
    Afterwards it is as it was."""
    part, before = getattr(_here, "is_part", False), torch.get_num_threads()
    if not (part or _alone.acquire(blocking=False)):
        yield False
        return
    try:
        yield True
    finally:
        torch.set_num_threads(before)
        if not part:
            _alone.release()


def _may_share() -> bool:
    """Whether other threads would compute as this one does: gradients and lower precision are each thread's own."""
    return not (torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu"))
