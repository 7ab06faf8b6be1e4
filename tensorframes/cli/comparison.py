"""``tensorframes compare``: which settings varied between runs, and their scores side by side."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorframes.cli.arguments import expanded
from tensorframes.errors import LineParser, UserError, loading, standard_output

if TYPE_CHECKING:
    from tensorframes.reports.grid import Grid

DESCRIPTION = """\
Compares runs: tensorframes compare RUN RUN ...

A RUN is the folder of a run, a folder of such folders (as multirun/TIME of a sweep), or a metrics.json. NAME=RUN sets
its name in the tables; others are named by their folders or by the overrides in which they differ. The first table
lists the settings that differ between the runs, the others the scores. Runs without scores are left out.
"""


def parser() -> LineParser:
    """The command's arguments."""
    reader = LineParser(
        prog="tensorframes compare", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    reader.add_argument("runs", nargs="+", metavar="RUN", help="one or more runs, see above")
    reader.add_argument(
        "--csv", type=Path, metavar="FILE", help="errors of other methods: columns cloud and METHOD, degrees"
    )
    reader.add_argument("--clouds", action="store_true", help="also print a row for each cloud")
    reader.add_argument("--picture", metavar="FILE", help="also draw the scores: FILE.png, .pdf or .svg")
    reader.add_argument("--markdown", action="store_true", help="print tables in Markdown")
    return reader


def main(arguments: Sequence[str]) -> int:
    """Read, print, draw; returns the exit code."""
    reader = parser()
    given = reader.parse_args(reader.checked(arguments))
    given.runs = expanded(given.runs)
    with loading():
        from tensorframes.cli.runs import found_runs, without_scores
        from tensorframes.reports import expect_picture, score_picture
    try:
        if given.picture:
            expect_picture(given.picture)
        runs = found_runs(given.runs)
        if left_out := without_scores(given.runs):
            folders = ", ".join(map(str, left_out))
            print(f"note: left out, without scores (no metrics.json): {folders}", file=sys.stderr)
        results = {run.name: run.metrics for run in runs}
        results |= shared_baselines([run.metrics for run in runs])
        grids = score_grids(results, given)
        with standard_output():
            print_settings({run.name: run.settings for run in runs if run.settings}, given.markdown)
            print_grids(grids, given.markdown)
        if given.picture:
            print(score_picture(results, given.picture))
    except (UserError, ValueError) as error:
        reader.error(str(error))
    except (KeyError, TypeError, AttributeError) as error:
        reader.error(f"expected metrics.json as tensorframes writes it, got one without {error}")
    except BrokenPipeError:
        raise
    except OSError as error:
        reader.error(f"expected a file that can be written, got {error.filename or given.picture} ({error.strerror})")
    return 0


def print_settings(settings: Mapping[str, Mapping[str, Any]], markdown: bool) -> None:
    """Print the settings that differ between the runs with a configuration."""
    from tensorframes.reports.settings import varied

    if len(settings) < 2:
        return
    found = varied(settings)
    if not found:
        print("The settings of all runs are the same.\n")
        return
    lines = [["setting", *settings], *([key, *values] for key, values in found.items())]
    if len(found) <= max(4, len(settings)):  # a row for each run where there are more runs than settings
        lines = [["run", *lines[0][1:]], *lines[1:]]
        lines = [list(line) for line in zip(*lines, strict=True)]
    print_lines(lines, markdown)


def print_lines(lines: Sequence[Sequence[str]], markdown: bool) -> None:
    """Print texts as a table; the first line holds the headings."""
    from rich import box
    from rich.table import Table

    from tensorframes.reports.markdown import markdown_table
    from tensorframes.reports.table import Terminal

    if markdown:
        print(markdown_table(lines, rest="---") + "\n")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in lines[0]:
        table.add_column(head, overflow="fold")
    for line in lines[1:]:
        table.add_row(*line)
    Terminal().print(table)


def shared_baselines(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The baselines that have the same scores in every run, by name."""
    first, *others = [run.get("baselines", {}) for run in runs]
    return {
        name: entry
        for name, entry in first.items()
        if all(scores_alone(other.get(name)) == scores_alone(entry) for other in others)
    }


def scores_alone(node: Any) -> Any:
    """Metrics without seconds and warnings."""
    if isinstance(node, Mapping):
        return {key: scores_alone(value) for key, value in node.items() if key not in ("seconds", "warnings")}
    return node


def score_grids(results: Mapping[str, Any], given: argparse.Namespace) -> "list[Grid]":
    """The requested tables."""
    from tensorframes.reports.grid import grid_of
    from tensorframes.reports.others import (
        categories_of,
        cloud_grid,
        cosine_grid,
        ratio_grid,
        read_scores,
        scores_of,
        with_others,
    )

    grids = [grid_of(results)]
    if given.clouds and not given.csv and all("per_rotation" in metrics for metrics in results.values()):
        grids.append(cosine_grid(results))
    elif given.csv or given.clouds:
        if any("per_cloud" not in metrics for metrics in results.values()):
            raise UserError("expected scores cloud by cloud (the PCPNet protocol) for --csv and --clouds, got others")
        category = categories_of(results)
        others = read_scores(given.csv) if given.csv else {}
        scores = scores_of(results) | others
        if others:
            grids = [with_others(grids[0], others, category), ratio_grid(scores, category)]
        if given.clouds:
            grids.append(cloud_grid(scores, category))
    return grids


def print_grids(grids: "Sequence[Grid]", as_markdown: bool) -> None:
    """Print tables of scores."""
    from tensorframes.reports.table import markdown, print_table, table_of

    for grid in grids:
        if as_markdown:
            print(markdown(grid) + "\n")
        else:
            print_table(table_of(grid))
