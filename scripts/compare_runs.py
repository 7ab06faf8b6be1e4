"""Markdown tables of runs, by category and by cloud: python scripts/compare_runs.py NAME=metrics.json ... [--csv FILE]

The CSV holds the columns cloud, category and one for each other method, RMSE in degrees; ratios are to its last column.
With --pgp PICTURE.png the shares of points below 5 to 30 degrees are drawn, a curve for each run.
"""

import argparse
import csv
import json
import sys
from pathlib import Path

from tensorframes.errors import LineParser, interruptible, loading

with loading():
    from tensorframes.reports import pgp_picture
    from tensorframes.reports.grid import Metrics, in_protocol_order

Scores = dict[str, dict[str, float]]  # method -> cloud -> RMSE in degrees


def read_runs(named: list[str]) -> dict[str, Metrics]:
    """The contents of NAME=metrics.json by name."""
    runs = {}
    for argument in named:
        name, sign, path = argument.partition("=")
        if not sign:
            raise ValueError(f"expected NAME=metrics.json, got {argument}")
        runs[name] = json.loads(Path(path).read_text())
    return runs


def scores_of(runs: dict[str, Metrics]) -> tuple[Scores, dict[str, str]]:
    """Scores by run, and each cloud's category."""
    scores: Scores = {}
    category: dict[str, str] = {}
    for name, metrics in runs.items():
        clouds = metrics["per_cloud"]
        scores[name] = {cloud: entry["rmse"] for cloud, entry in clouds.items()}
        category |= {cloud: entry["category"] for cloud, entry in clouds.items()}
    return scores, category


def read_csv(path: Path, without: tuple[str, ...] = ("cloud", "category")) -> Scores:
    """Scores by method of a table with a row for each cloud; columns of seconds are left out."""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise ValueError(f"{path} without rows")
    methods = [key for key in rows[0] if key not in without and not key.endswith("seconds")]
    return {method: {row["cloud"]: float(row[method]) for row in rows} for method in methods}


def means(scores: Scores, category: dict[str, str]) -> dict[str, list[float]]:
    """Method -> mean RMSE of each category, then the mean of these."""
    found = {}
    for method, by_cloud in scores.items():
        values = []
        for name in in_protocol_order(list(category.values())):
            clouds = [by_cloud[cloud] for cloud, its in category.items() if its == name]
            values.append(sum(clouds) / len(clouds))
        found[method] = [*values, sum(values) / len(values)]
    return found


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = LineParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="NAME=metrics.json")
    parser.add_argument("--csv", type=Path, help="scores of other methods on the same clouds")
    parser.add_argument("--pgp", type=Path, help="a picture to draw: shares of points below 5 to 30 degrees")
    given = parser.parse_args()
    try:
        runs = read_runs(given.runs)
        scores, category = scores_of(runs)
        scores |= read_csv(given.csv) if given.csv else {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        parser.error(f"expected metrics.json of evaluate.py and a CSV of scores, got {error}")
    for method, clouds in scores.items():
        if missing := [cloud for cloud in category if cloud not in clouds]:
            parser.error(f"expected all methods on the same clouds, got no {missing[0]} for {method}")
    shown = in_protocol_order(list(category.values()))
    summary = means(scores, category)
    print(table(["method", *shown, "mean"], [[m, *(f"{v:.2f}" for v in values)] for m, values in summary.items()]))
    if given.csv:
        last = list(scores)[-1]
        ratios = {m: [v / w for v, w in zip(values, summary[last], strict=True)] for m, values in summary.items()}
        rows = [[m, *(f"{v:.3f}" for v in r), f"{sum(r[:-1]) / len(shown):.3f}"] for m, r in ratios.items()]
        print("\n" + table([f"ratio to {last}", *shown, "of the means", "mean of ratios"], rows))
    if given.pgp:
        try:
            pgp_picture(runs, given.pgp)
        except (OSError, KeyError, ValueError) as error:
            parser.error(f"expected runs with shares of points and a picture that can be written, got {error}")
    print("\n" + table(["cloud", *scores], [[c, *(f"{s[c]:.2f}" for s in scores.values())] for c in category]))


if __name__ == "__main__":
    sys.exit(interruptible(main))
