"""The rows of the table of targets that this device has a part in."""

import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.__main__ import ON_CPU, ROWS
from benchmarks.gpu.parts.normals import Items
from benchmarks.harness import Settings


def items(settings: Settings, folder: Path) -> Items:
    """One item a module."""
    for name in (name for name in ROWS if name not in ON_CPU):
        module = importlib.import_module(f"benchmarks.rows.{name}")
        yield f"targets: {name}", partial(rows, module.measured, settings)


def rows(measured: Callable[..., Any], settings: Settings) -> dict[str, Any]:
    """The rows by what they measure."""
    return {row.what: row.entry() for row in measured(settings)}
