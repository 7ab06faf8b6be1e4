"""Tables of scores on the screen."""

from collections.abc import Mapping

from rich import box
from rich.table import Table
from rich.text import Text

from tensorframes.reports.grid import Metrics, grid_of


def compare(results: Mapping[str, Metrics], title: str | None = None) -> Table:
    """A table to print with rich: a row for each method, the best of each column bold, points and shapes below.

    Args:
        results: by method name, all from `scoring.score` or all from `scoring.score_rotated`.
        title: a line above it.
    """
    grid = grid_of(results)
    caption = Text(grid.footer, style="dim", justify="left")
    table = Table(
        title=title, caption=caption, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, padding=(0, 0)
    )
    table.add_column("method", overflow="fold")
    for column in grid.columns:
        table.add_column(column.head, justify="right")
    for name, values in grid.rows:
        shown = [column.text(value) for column, value in zip(grid.columns, values, strict=True)]
        marks = ["bold green" if text == grid.best(index) else "" for index, text in enumerate(shown)]
        table.add_row(Text(name), *(Text(text, style=mark) for text, mark in zip(shown, marks, strict=True)))
    return table


def equivariance_table(errors: Mapping[str, Mapping[str, float | int | None]]) -> Table:
    """A table to print with rich: for each cloud how far a method is from equivariant, the worst cloud last.

    Args:
        errors: `EquivarianceError.as_dict()` by cloud.
    """
    caption = Text(
        "Degrees between the normals of the turned or reflected cloud and the turned normals, over all\n"
        "scored points and elements drawn; the change of RMSE is the largest.",
        style="dim",
        justify="left",
    )
    table = Table(caption=caption, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0))
    table.add_column("cloud", overflow="fold")
    for head in ("mean", "99.9 %", "largest", "RMSE change"):
        table.add_column(head, justify="right")
    for name, found in sorted(errors.items(), key=lambda item: item[1]["p99_9"] or 0):
        values = [found[key] for key in ("mean", "p99_9", "max", "rmse_change")]
        table.add_row(Text(name), *("-" if value is None else f"{value:.5f}" for value in values))
    return table
