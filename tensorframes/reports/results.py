"""metrics.json: written whole or not at all, and what it holds for a table."""

import json
from pathlib import Path

from tensorframes.atomic import replace_text
from tensorframes.reports.grid import Metrics

FILE = "metrics.json"


def write_metrics(path: Path | str, metrics: Metrics) -> Path:
    """Write metrics as strict JSON. Who reads at the same time sees the old file or the new one, never half of one.

    Args:
        path: the file, or a folder, in which it is called metrics.json.

    Raises:
        ValueError: if a number is NaN or infinite, which JSON does not have; nothing is written then.
    """
    path = file_of(path)
    text = json.dumps(metrics, indent=2, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, text)
    return path


def methods_of(metrics: Metrics) -> dict[str, Metrics]:
    """The methods in one run's metrics by name, for `compare`: the run's own, then its "baselines" if it has them."""
    return {metrics.get("method", "network"): metrics, **metrics.get("baselines", {})}


def file_of(path: Path | str) -> Path:
    """The metrics file that a path means: itself, or the one in that folder."""
    path = Path(path)
    return path if path.suffix == ".json" else path / FILE
