"""A parallel map over independent chunks of work, on the processor's cores."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock, local
from typing import TypeVar

import torch

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

_alone = Lock()  # the number of torch's threads is one for the whole process
_here = local()  # in a thread of a parallel map: ``is_part``


def start_method(workers: int) -> str | None:
    """How the processes of a loader are started, None without any: as usual here, or else in the system's own way.

    In a job of joblib processes are by default started in a way of joblib's own, in which only its own can be.
    """
    ways, usual = multiprocessing.get_all_start_methods(), multiprocessing.get_start_method()
    return None if workers == 0 else usual if usual in ways else ways[0]


def parallel_map(work: Callable[[Chunk], Result], chunks: Sequence[Chunk], device: torch.device) -> list[Result]:
    """``work`` of each chunk, in order; outside training on a CPU with one thread for each of torch's.

    Each thread processes whole chunks. torch itself splits every operation among its threads and waits for the slowest
    each time, which gains nothing for small operations and stalls if another program occupies a core. The results are
    the same. With fewer chunks than threads, the remaining threads are divided among the chunks, for their operations
    and for nested maps. During the map torch has only these threads in this process; concurrent callers run
    sequentially.

    Args:
        work: a function without side effects. chunks: its arguments. device: the device it computes on.
    """
    threads = min(torch.get_num_threads(), len(chunks))
    if threads < 2 or device.type != "cpu" or not _may_share():
        return [work(chunk) for chunk in chunks]
    share, inference = torch.get_num_threads() // threads, torch.is_inference_mode_enabled()

    def begin() -> None:
        torch.get_num_threads()  # takes the latest number of any thread, once in each: not after the next line
        torch.set_num_threads(share)
        _here.is_part = True

    def of_chunk(chunk: Chunk) -> Result:
        with torch.inference_mode(inference), torch.no_grad():
            return work(chunk)

    with _threads_claimed() as ours:
        if not ours:
            return [work(chunk) for chunk in chunks]
        with ThreadPoolExecutor(threads, initializer=begin) as pool:
            return list(pool.map(of_chunk, chunks))


@contextmanager
def one_thread(device: torch.device) -> Iterator[None]:
    """A context in which torch's operations on a CPU run in one thread.

    It is for many small operations. Several threads are little faster for these, and far slower if another program
    occupies a core.
    """
    if torch.get_num_threads() < 2 or device.type != "cpu" or torch.compiler.is_compiling():
        yield
        return
    with _threads_claimed() as ours:
        if ours:
            torch.set_num_threads(1)
        yield


@contextmanager
def _threads_claimed() -> Iterator[bool]:
    """Whether the caller may change the number of torch's threads: one caller at a time, and within its chunks.

    The number is restored afterwards.
    """
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
    """Whether other threads compute as this one does: gradient mode and autocast are settings of a thread."""
    return not (torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu"))
