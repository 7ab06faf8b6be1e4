"""Seconds for the normals of 100,000 points, from array to array."""

import statistics
from collections.abc import Iterator
from functools import partial

from benchmarks.harness import Row, Settings, available_cores, interleaved, torus
from tensorframes import estimate_normals

TARGETS = {"best": (5.0, 0.1), "fast": (2.0, 0.1)}
"""Weights -> seconds on two CPU cores, and on one GPU."""


def measured(settings: Settings) -> Iterator[Row]:
    """Both weights on the CPU or on the GPU; the targets of the other one are named as not measured."""
    points = torus(settings.size(100_000, 1000), noise=0.5).pos
    works = {name: partial(estimate_normals, points, name, settings.device) for name in TARGETS}
    taken = interleaved(works, settings.size(3, 1), settings.device)
    on_gpu = settings.device.type == "cuda"
    for name, (on_cpu, on_card) in TARGETS.items():
        what, found = f"{len(points):,} normals, {name}, {'GPU' if on_gpu else 'CPU'}", taken[name]
        judged = not settings.quick and (on_gpu or available_cores() <= 2)
        middle = statistics.median(found)
        yield Row(what, on_card if on_gpu else on_cpu, "s", middle, min(found), max(found), judged=judged)
    if not on_gpu:
        yield Row("100,000 normals, best, GPU", TARGETS["best"][1], "s", note="needs a GPU: --device cuda")
