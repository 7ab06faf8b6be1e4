"""The end of a run: scores on the screen, in the log, in metrics.json and in a picture."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.progress import track

from tensorframes.clouds import Cloud
from tensorframes.scoring import Method, score

log = logging.getLogger(__name__)


def score_and_report(methods: Mapping[str, Method], clouds: Sequence[Cloud], folder: Path) -> dict[str, Any]:
    """Score ``methods`` on the same points. The first one's numbers are the result, the others' stand beside them.

    Writes metrics.json: the first method's ``average``, ``per_category`` and ``per_cloud``, and ``baselines`` by name.
    """
    scores = {name: score(method, clouds, progress=bar(name)) for name, method in methods.items()}
    first, *others = scores
    results = {**scores[first], "baselines": {name: scores[name] for name in others}}
    (folder / "metrics.json").write_text(json.dumps(results, indent=2) + "\n")
    return results


def bar(name: str) -> Any:
    """A progress bar over the clouds that ``name`` is scored on."""

    def walk(indices: Sequence[int]) -> Iterable[int]:
        return track(indices, description=f"Scoring {name}", transient=True)

    return walk
