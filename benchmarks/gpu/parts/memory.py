"""Largest memory of tensors for the normals of clouds of several sizes, in one pass."""

from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.gpu.parts.normals import Items
from benchmarks.harness import Settings, peak_bytes, torus
from tensorframes import estimate_normals


def items(settings: Settings, folder: Path) -> Items:
    """The weights ``best`` at 10,000, 100,000 and 300,000 points."""
    for points in (300, 400) if settings.quick else (10_000, 100_000, 300_000):
        yield f"memory of {points:,} points, best", partial(measured, points, settings)


def measured(points: int, settings: Settings) -> dict[str, Any]:
    """MiB, and bytes a point."""
    cloud = torus(points, noise=0.5).pos
    peak = peak_bytes(lambda: estimate_normals(cloud, "best", settings.device, block=None), settings.device)
    return {"peak_MiB": peak / 2**20, "bytes_per_point": peak / points}
