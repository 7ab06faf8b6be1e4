"""Training throughput of both recipes in labelled points a second: float32 and bfloat16."""

import statistics
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.gpu.parts.normals import Items
from benchmarks.harness import Settings, interleaved, peak_bytes
from benchmarks.networks import Trainer, tori, trainer

RECIPES = ("best", "fast")


def items(settings: Settings, folder: Path) -> Items:
    """Each recipe at batch sizes 2, 8 and 16 in both precisions."""
    for batch_size in (1,) if settings.quick else (16, 8, 2):
        for recipe in RECIPES:
            for bf16 in (False, True):
                name = f"training {recipe}, batch of {batch_size}, {'bf16-mixed' if bf16 else 'float32'}"
                yield name, partial(fresh_rate, recipe, batch_size, settings, bf16)


def network(recipe: str, batch_size: int, settings: Settings, bf16: bool) -> Trainer:
    """A recipe with a batch of its own samples of two tori."""
    clouds = tori(2, settings.size(100_000, 600))
    return trainer([f"experiment={recipe}"], clouds, batch_size, settings.device, bf16)


def fresh_rate(recipe: str, batch_size: int, settings: Settings, bf16: bool) -> dict[str, Any]:
    """The rate of a network that is made for it."""
    return rate(network(recipe, batch_size, settings, bf16), settings)


def rate(training: Trainer, settings: Settings, warm_up: int = 1) -> dict[str, Any]:
    """Steps and labelled points a second, and the largest memory; the batch stays the same."""
    peak = peak_bytes(training.step, settings.device)
    taken = interleaved({"": training.step}, settings.size(5, 1), settings.device, settings.size(warm_up, 0))[""]
    middle = statistics.median(taken)
    return {
        "labelled_points_per_second": training.labelled / middle,
        "steps_per_second": 1 / middle,
        "peak_MiB": peak / 2**20,
    }
