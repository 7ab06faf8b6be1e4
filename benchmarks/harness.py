"""Shared by all benchmarks: interleaved timing, the largest memory of tensors, and a row of the table of targets."""

import os
import platform
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from tensorframes.data import Cloud

Work = Callable[[], object]


@dataclass(frozen=True)
class Settings:
    """Where and how large.

    Args:
        device: that computes. quick: small sizes and few repeats, to check that a benchmark runs.
        ends: when the time for it is over, on the monotonic clock; only what may take minutes looks at it.
    """

    device: torch.device
    quick: bool = False
    ends: float = float("inf")

    def size(self, full: int, quick: int) -> int:
        """One of two sizes."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        what: is measured. target: at most, or with ``at_least`` at least, so much. unit: x, s or %.
        measured: the median; None: not measured, ``note`` says why. low, high: the range of the repeats.
        judged: whether the sizes and the machine are those of the target.
    """

    what: str
    target: float
    unit: str
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    at_least: bool = False
    judged: bool = True
    note: str = ""

    @property
    def verdict(self) -> str:
        """met, not met, or not judged."""
        if self.measured is None or not self.judged:
            return "not judged"
        met = self.measured >= self.target if self.at_least else self.measured <= self.target
        return "met" if met else "not met"

    def cells(self) -> tuple[str, str, str, str, str]:
        """What, target, measured, verdict and note, as text."""
        target = f"{'>=' if self.at_least else '<='} {self.target:g} {self.unit}"
        measured = "-" if self.measured is None else f"{self.measured:.3g} {self.unit}"
        if self.low is not None and self.high is not None:
            measured += f" ({self.low:.3g} to {self.high:.3g})"
        return self.what, target, measured, self.verdict, self.note

    def entry(self) -> dict[str, Any]:
        """The row for a JSON file."""
        return {**asdict(self), "verdict": self.verdict}


def ratio(what: str, target: float, over: list[float], under: list[float], judged: bool, note: str = "") -> Row:
    """The row of the quotient of two works timed side by side: the median of the quotients of each repeat."""
    quotients = sorted(above / below for above, below in zip(over, under, strict=True))
    median = statistics.median(quotients)
    return Row(what, target, "x", median, quotients[0], quotients[-1], judged=judged, note=note)


def interleaved(
    works: Mapping[str, Work], repeats: int, device: torch.device, warm_up: int = 1
) -> dict[str, list[float]]:
    """Seconds of each work in each of ``repeats`` rounds; within a round all works run, one after another.

    What else the machine does so meets all of them alike.
    """
    for work in works.values():
        for _ in range(warm_up):
            work()
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            taken[name].append(seconds(work, device))
    return taken


def seconds(work: Work, device: torch.device) -> float:
    """Seconds until the device has done the work."""
    synchronise(device)
    begin = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - begin


def synchronise(device: torch.device) -> None:
    """Wait until the device has nothing left to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_bytes(work: Work, device: torch.device) -> int:
    """Largest memory of the tensors that the work allocates, beyond what is allocated before.

    On the CPU from the profiler's record of each allocation, so that it does not depend on the allocator.
    """
    if device.type == "cuda":
        synchronise(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        synchronise(device)
        return int(torch.cuda.max_memory_allocated(device)) - before
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        work()
    results = profile.profiler.kineto_results
    changes = [(event.start_ns(), event.nbytes()) for event in results.events() if event.name() == "[memory]"]
    return int(np.cumsum([0, *(change for _, change in sorted(changes, key=lambda each: each[0]))]).max())


def can_compile() -> bool:
    """Whether inductor has the C++ compiler that it needs."""
    return any(map(shutil.which, ("g++", "clang++", "c++")))


def machine(device: torch.device) -> dict[str, Any]:
    """What the numbers depend on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "device": f"{device.type}: {name}",
        "cores": available_cores(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def threads(count: int) -> Iterator[None]:
    """So many threads of torch."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def torus(count: int, seed: int = 0, noise: float = 0.0) -> Cloud:
    """Points on a torus with their normals, and Gaussian noise of so many mean spacings."""
    rng = np.random.default_rng(seed)
    u, v = rng.uniform(0, 2 * np.pi, (2, count))
    normal = np.stack([np.cos(v) * np.cos(u), np.cos(v) * np.sin(u), np.sin(v)], axis=1)
    pos = np.stack([np.cos(u), np.sin(u), 0 * u], axis=1) + 0.4 * normal
    spacing = np.sqrt(4 * np.pi**2 * 0.4 / count)
    return Cloud(f"torus_{seed}", pos + noise * spacing * rng.normal(size=pos.shape), normal)
