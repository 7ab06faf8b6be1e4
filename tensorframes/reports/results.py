"""metrics.json: writing, and the methods in it."""

import json
from pathlib import Path

from tensorframes.atomic import replace_text
from tensorframes.reports.grid import Metrics

FILE = "metrics.json"


def write_metrics(path: Path | str, metrics: Metrics) -> Path:
    """Writes metrics as strict JSON, whole or not at all.

    Args:
        path: the file, or its folder; it is called metrics.json then.
        metrics: results of a protocol.

    Raises:
        ValueError: a number is NaN or infinite, which JSON lacks; nothing is written.
    """
    path = file_of(path)
    text = json.dumps(metrics, indent=2, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, text)
    return path


def methods_of(metrics: Metrics) -> dict[str, Metrics]:
    """The methods of one run by name, for `compare`: its own, then its "baselines", if any."""
    return {metrics.get("method", "network"): metrics, **metrics.get("baselines", {})}


def file_of(path: Path | str) -> Path:
    """The metrics file of a path: the path itself, or metrics.json in that folder."""
    path = Path(path)
    return path if path.suffix == ".json" else path / FILE
