"""Results of a run: scores in the terminal, in the log, in metrics.json and in a picture."""

import io
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tensorframes.cli.runlog import write_to_log
from tensorframes.data import Cloud
from tensorframes.errors import UserError
from tensorframes.progress import progress_bar
from tensorframes.reports import compare, error_picture, methods_of, worst_clouds, write_metrics
from tensorframes.reports.table import print_table
from tensorframes.scoring import Method

log = logging.getLogger(__name__)

Protocol = Callable[..., dict[str, Any]]
PICTURED = 6


def score_and_report(
    methods: Sequence[Method], clouds: Sequence[Cloud], protocol: Protocol, folder: Path
) -> dict[str, Any]:
    """Score ``methods`` on the same points, and write the results.

    Writes metrics.json (scores of the first method; those of the others under ``baselines`` by name) and errors.png,
    and prints the table. Returns the content of metrics.json.

    Args:
        methods: the method of the run, then baselines. clouds: with normals.
        protocol: ``scoring.score`` or ``scoring.score_rotated``. folder: of the run.
    """
    scores = []
    for method in methods:
        with progress_bar(f"Scoring {method.name}") as progress:
            scores.append(checked_scores(protocol(method, clouds, progress=progress)))
    results = dict(scores[0])
    if scores[1:]:
        results["baselines"] = {other["method"]: other for other in scores[1:]}
    write_metrics(folder, results)
    show_table(results)
    error_picture([methods[0]], pictured(results, clouds), folder / "errors.png")
    log.info("%s: metrics.json, errors.png", shown(folder))
    return results


def checked_scores(scores: Any) -> dict[str, Any]:
    """What a protocol returned.

    Raises:
        UserError: it is something else than scores.
    """
    if isinstance(scores, dict) and "method" in scores and {"per_category", "per_rotation"} & scores.keys():
        return scores
    got = f"a dict of {', '.join(map(str, scores)) or 'nothing'}" if isinstance(scores, dict) else type(scores).__name__
    wanted = "method, and per_category or per_rotation"
    raise UserError(
        f"data.protocol: expected scores as of tensorframes.scoring.score or score_rotated ({wanted}), got {got}"
    )


def shown(path: Path) -> str:
    """A path for messages, relative to the working directory if it lies below it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def show_table(results: Mapping[str, Any]) -> None:
    """Print scores in the terminal and in the run's log."""
    show(compare(methods_of(results)))


def show(table: Table) -> None:
    """Print a table in the terminal and, without colour, in the run's log."""
    print_table(table)
    text = io.StringIO()
    print_table(table, Console(file=text, width=120, color_system=None))
    write_to_log("\n" + text.getvalue().rstrip())


def pictured(results: Mapping[str, Any], clouds: Sequence[Cloud]) -> list[Cloud]:
    """The worst cloud of each category; the first PICTURED clouds if there are no categories."""
    if "per_cloud" in results:
        return worst_clouds(results, clouds)
    return [clouds[index] for index in range(min(PICTURED, len(clouds)))]


def flat(results: Mapping[str, Any]) -> dict[str, float]:
    """The main scores of the test and the cost of the training, by their names in loggers."""
    if "per_rotation" in results:
        scores = {
            f"test/{key.removesuffix('_unoriented')}/{name}": entry[key]
            for key in ("cosine_unoriented", "cosine_oriented", "rmse")
            for name, entry in results["per_rotation"].items()
            if entry[key] is not None
        }
        return scores | flat_cost(results)
    by_category = {f"test/rmse/{name}": entry["rmse"] for name, entry in results["per_category"].items()}
    return {"test/rmse": results["average"]["rmse"], **by_category} | flat_cost(results)


def flat_cost(results: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of what the training cost, by their names in loggers; empty without training."""
    cost = results.get("training", {})
    parameters = {f"cost/parameters/{name}": float(count) for name, count in cost.get("parameters", {}).items()}
    rest = {f"cost/{key}": cost.get(key) for key in ("seconds_per_step", "peak_memory_bytes")}
    return parameters | {name: float(value) for name, value in rest.items() if value is not None}
