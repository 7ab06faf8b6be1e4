"""Scores of other methods by cloud, beside those of runs."""

import csv
from collections.abc import Mapping
from pathlib import Path

from tensorframes.data.io.files import expect_end
from tensorframes.errors import UserError
from tensorframes.reports.grid import Column, Grid, Metrics, in_protocol_order

Scores = Mapping[str, Mapping[str, float]]
"""Method -> cloud -> RMSE in degrees."""


def read_scores(path: Path) -> dict[str, dict[str, float]]:
    """The scores in a table with the columns cloud, optionally category, and one for each method (RMSE in degrees).

    Columns of seconds are left out.

    Raises:
        UserError: the file can't be read, or is no such table.
    """
    try:
        expect_end(path)
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        methods = [key for key in rows[0] if key not in ("cloud", "category") and not key.endswith("seconds")]
        return {method: {row["cloud"]: float(row[method]) for row in rows} for method in methods}
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"expected a CSV of scores, got {path} ({error.strerror})") from error
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise UserError(f"expected a CSV with the columns cloud and METHOD, in degrees, got {path}") from error


def scores_of(results: Mapping[str, Metrics]) -> dict[str, dict[str, float]]:
    """The RMSE of runs by cloud."""
    return {
        name: {cloud: entry["rmse"] for cloud, entry in metrics["per_cloud"].items()}
        for name, metrics in results.items()
    }


def categories_of(results: Mapping[str, Metrics]) -> dict[str, str]:
    """The category of each cloud."""
    return {cloud: entry["category"] for metrics in results.values() for cloud, entry in metrics["per_cloud"].items()}


def means(scores: Scores, category: Mapping[str, str]) -> dict[str, list[float]]:
    """Method -> mean RMSE of each category, then the mean of these.

    Raises:
        UserError: a method lacks a cloud.
    """
    found = {}
    for method, clouds in scores.items():
        if missing := [cloud for cloud in category if cloud not in clouds]:
            raise UserError(f"expected all methods on the same clouds, got no {missing[0]} for {method}")
        values = []
        for name in in_protocol_order(list(category.values())):
            members = [clouds[cloud] for cloud, its in category.items() if its == name]
            values.append(sum(members) / len(members))
        found[method] = [*values, sum(values) / len(values)]
    return found


def with_others(grid: Grid, others: Scores, category: Mapping[str, str]) -> Grid:
    """The grid of runs by category with a row for each other method, without seconds."""
    rows = [(method, (*values, None)) for method, values in means(others, category).items()]
    return Grid(grid.columns, (*grid.rows, *rows), grid.footer, grid.corner)


def ratio_grid(scores: Scores, category: Mapping[str, str]) -> Grid:
    """Each method's means divided by those of the last method."""
    summary = means(scores, category)
    last = list(scores)[-1]
    columns = [Column(name, 3) for name in in_protocol_order(list(category.values()))]
    rows = []
    for method, values in summary.items():
        ratios = [value / base for value, base in zip(values, summary[last], strict=True)]
        rows.append((method, (*ratios, sum(ratios[:-1]) / len(columns))))
    ends = (Column("of the means", 3), Column("mean of ratios", 3))
    return Grid((*columns, *ends), tuple(rows), f"RMSE as a ratio to that of {last}.")


def cloud_grid(scores: Scores, category: Mapping[str, str]) -> Grid:
    """A row for each cloud, a column for each method."""
    rows = [(cloud, tuple(clouds.get(cloud) for clouds in scores.values())) for cloud in category]
    return Grid(tuple(Column(name, best="") for name in scores), tuple(rows), "RMSE in degrees.", corner="cloud")


def cosine_grid(results: Mapping[str, Metrics]) -> Grid:
    """Mean cosine similarity (unoriented) of each cloud, a column for each method, by its first test rotation.

    Raises:
        UserError: a method's scores do not hold those of single clouds, as those written by earlier versions.
    """
    rotations = {method: next(iter(metrics["per_rotation"])) for method, metrics in results.items()}
    scores = {method: results[method]["per_rotation"][name].get("per_cloud") for method, name in rotations.items()}
    if without := [method for method, clouds in scores.items() if clouds is None]:
        raise UserError(f"expected scores cloud by cloud for --clouds, got none in {without[0]}")
    names = list(dict.fromkeys(cloud for clouds in scores.values() for cloud in clouds))
    rows = [(n, tuple(its.get(n, {}).get("cosine_unoriented") for its in scores.values())) for n in names]
    heads = [f"{method} {rotation}" for method, rotation in rotations.items()]
    footer = "Mean |cos| of each cloud, by the first test rotation."
    return Grid(tuple(Column(head, 4, best="") for head in heads), tuple(rows), footer, corner="cloud")
