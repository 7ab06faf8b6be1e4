"""Seconds and memory for 100,000 and one million normals, and how far CPU and GPU normals are apart."""

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Settings, interleaved, peak_bytes, torus
from tensorframes import estimate_normals
from tensorframes.normals import PRETRAINED

Items = Iterator[tuple[str, Callable[[], dict[str, Any]]]]


def items(settings: Settings, folder: Path) -> Items:
    """Each weights file at 100,000 points, the agreement, and each at a million."""
    few, many = settings.size(100_000, 500), settings.size(1_000_000, 800)
    for name in PRETRAINED:
        yield f"{few:,} normals, {name}", partial(timed, name, few, 3, settings)
    for name in PRETRAINED:
        yield f"CPU and device agree, {name}", partial(agreement, name, settings)
    for name in PRETRAINED:
        yield f"{many:,} normals, {name}", partial(timed, name, many, 1, settings)


def timed(weights: str, points: int, repeats: int, settings: Settings) -> dict[str, Any]:
    """Median seconds from array to array, after one run to warm up in which memory is measured."""
    cloud = torus(points, noise=0.5).pos
    work = lambda: estimate_normals(cloud, weights, settings.device)  # noqa: E731
    peak = peak_bytes(work, settings.device)
    taken = interleaved({"": work}, settings.size(repeats, 1), settings.device, warm_up=0)[""]
    return {"seconds": statistics.median(taken), "least": min(taken), "most": max(taken), "peak_MiB": peak / 2**20}


def agreement(weights: str, settings: Settings) -> dict[str, Any]:
    """Angles in degrees between the normals of both, at quantiles of the points."""
    cloud = torus(settings.size(20_000, 300), noise=0.5).pos
    here, there = (estimate_normals(cloud, weights, device).astype(np.float64) for device in ("cpu", settings.device))
    cross, dot = np.linalg.norm(np.cross(here, there), axis=1), np.abs((here * there).sum(1))
    angles = np.degrees(np.arctan2(cross, dot))
    return {f"degrees_at_{share}": float(np.quantile(angles, share)) for share in (0.5, 0.99, 0.999)}
