"""The same throughput with a backbone that is compiled (inductor)."""

from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.parts.normals import Items
from benchmarks.gpu.parts.throughput import RECIPES, network, rate
from benchmarks.harness import Settings, can_compile


def items(settings: Settings, folder: Path) -> Items:
    """Each recipe, float32 and bfloat16, at the largest batch. On the CPU in a dry run: nothing."""
    for recipe in RECIPES if not settings.quick else ():
        for bf16 in (False, True):
            name = f"training {recipe}, batch of 16, {'bf16-mixed' if bf16 else 'float32'}, compiled"
            yield name, partial(measured, recipe, bf16, settings)


def measured(recipe: str, bf16: bool, settings: Settings) -> dict[str, Any]:
    """As ``throughput``; compilation is not counted.

    Raises:
        RuntimeError: there is no C++ compiler.
    """
    if not can_compile():
        raise RuntimeError("expected a C++ compiler, got none")
    training = network(recipe, 16, settings, bf16)
    estimator: Any = training.module.estimator
    estimator.backbone.forward = torch.compile(estimator.backbone.forward)
    return rate(training, settings, warm_up=2)
