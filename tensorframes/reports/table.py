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
