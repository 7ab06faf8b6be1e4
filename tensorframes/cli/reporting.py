"""What ``tensorframes normals --report`` says of a run."""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tensorframes.errors import UserError
from tensorframes.normals.missing import missing

NOT_OPTIONS = ("source", "sources", "target", "report", "weights", "device")
"""Arguments that the report names apart, or not at all."""
NAMES = {"source_kind": "from", "target_kind": "to"}
"""Options that are not called as their values."""


def report_run(
    given: argparse.Namespace, points: NDArray, normals: NDArray, confidence: NDArray | None, start: float
) -> None:
    """Write the report of a run to ``given.report``; nothing where none was asked for.

    Args:
        given: the arguments. points: (N, 3). normals: (N, 3), oriented if ``given.orient`` is a method.
        confidence: (N,) in the normals, if known.
        start: when the estimation began, by ``time.perf_counter``.
    """
    from tensorframes.normals import chosen_device
    from tensorframes.reports import write_normals_page

    if given.report is None:
        return
    seconds = time.perf_counter() - start
    done = {
        "file": Path(given.source).name,
        "written to": Path(given.target).name,
        "points": f"{len(points):,}",
        "seconds": f"{seconds:.1f} ({len(points) / max(seconds, 1e-9):,.0f} points a second)",
        "weights": given.weights,
        "device": str(chosen_device(given.device)),
        "options": options_line(vars(given)),
        "points without a normal": missing_line(points, normals),
    }
    expected = None if confidence is None else np.degrees(1 - confidence)
    try:
        write_normals_page(given.report, points, normals, done, given.orient != "none", expected)
    except OSError as error:
        raise UserError(f"{given.report}: can't be written: {error.strerror or error}") from error


def options_line(given: Mapping[str, object]) -> str:
    """The arguments that are set, as on the command line."""
    words = []
    for name, value in given.items():
        if name not in NOT_OPTIONS and value not in (None, False):
            values = value if isinstance(value, list) else [value]
            words += [f"--{NAMES.get(name, name)}{'' if each is True else f' {each}'}" for each in values]
    return " ".join(words) or "none"


def missing_line(points: NDArray, normals: NDArray) -> str:
    """How many points have no normal, and why."""
    counts = missing(points, normals)
    return "; ".join(f"{count:,} {why}" for why, count in counts.items() if count) or "none"
