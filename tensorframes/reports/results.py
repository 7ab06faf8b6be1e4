"""metrics.json: written whole or not at all, read back, and compared between runs."""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tensorframes.errors import UserError
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
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp's files are its owner's alone
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return path


def load_metrics(path: Path | str) -> dict[str, Any]:
    """The metrics of a run, given its folder or the file.

    Raises:
        UserError: if there is no such file, or it holds no scores.
    """
    path = file_of(path)
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"expected {path}, which a finished run leaves, got no such file") from None
    except (OSError, ValueError) as error:
        raise UserError(f"expected scores in {path}, got a file that cannot be read ({error})") from None
    if not isinstance(metrics, dict) or not ({"average", "per_rotation"} & set(metrics)):
        raise UserError(f"expected scores in {path} (average or per_rotation), got neither")
    return metrics


def load_runs(folders: Sequence[Path | str]) -> dict[str, dict[str, Any]]:
    """The metrics of several runs by the shortest names that tell them apart, for `compare`.

    Raises:
        UserError: if a run has none, or one run is named twice.
    """
    paths = [file_of(folder).parent.resolve() for folder in folders]
    if len(set(paths)) < len(paths):
        raise UserError(f"expected different runs, got one twice: {', '.join(map(str, folders))}")
    depth = 1
    while len({path.parts[-depth:] for path in paths}) < len(paths):
        depth += 1
    return {"/".join(path.parts[-depth:]): load_metrics(path) for path in paths}


def methods_of(metrics: Metrics) -> dict[str, Metrics]:
    """The methods in one run's metrics by name, for `compare`: the run's own, then its "baselines" if it has them."""
    return {metrics.get("method", "network"): metrics, **metrics.get("baselines", {})}


def file_of(path: Path | str) -> Path:
    """The metrics file that a path means: itself, or the one in that folder."""
    path = Path(path)
    return path if path.suffix == ".json" else path / FILE
