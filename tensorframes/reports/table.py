"""Tables of scores on the screen."""

from collections.abc import Mapping

from rich import box
from rich.table import Table
from rich.text import Text

from tensorframes.reports.grid import Grid, Metrics, grid_of

WIDEST = 110
"""Characters of the columns of scores that a screen has room for."""


def compare(results: Mapping[str, Metrics], title: str | None = None) -> Table:
    """A table to print with rich: a row for each method, or a column for each where there are too many columns for a
    screen; the best by each score bold, points and shapes below.

    Args:
        results: by method name, all from `scoring.score` or all from `scoring.score_rotated`.
        title: a line above it.
    """
    return table_of(grid_of(results), title)


def table_of(grid: Grid, title: str | None = None) -> Table:
    """The same for a grid; a row each, or a column each where there are too many columns for a screen."""
    caption = Text(grid.footer, style="dim", justify="left")
    table = Table(
        title=title, caption=caption, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, padding=(0, 0)
    )
    lines: list[list[str | Text]] = [[grid.corner, *(column.head for column in grid.columns)]]
    for name, values in grid.rows:
        shown = [column.text(value) for column, value in zip(grid.columns, values, strict=True)]
        marks = ["bold green" if text == grid.best(index) else "" for index, text in enumerate(shown)]
        lines.append([Text(name), *(Text(text, style=mark) for text, mark in zip(shown, marks, strict=True))])
    if width(grid) > WIDEST:
        lines = [list(line) for line in zip(*lines, strict=True)]
    for index, head in enumerate(lines[0]):
        table.add_column(head, overflow="fold" if index == 0 else "ellipsis", justify="left" if index == 0 else "right")
    for line in lines[1:]:
        table.add_row(*line)
    return table


def width(grid: Grid) -> int:
    """Characters that the columns of scores need at least: headings break at spaces only."""
    return sum(2 + max(map(len, [*column.head.split(), "00.00"])) for column in grid.columns)


def markdown(grid: Grid) -> str:
    """The grid as a table in Markdown, its footer below."""
    lines = [[grid.corner, *(column.head for column in grid.columns)], ["---", *["---:"] * len(grid.columns)]]
    for name, values in grid.rows:
        lines.append([name, *(column.text(value) for column, value in zip(grid.columns, values, strict=True))])
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{text}\n\n{grid.footer}" if grid.footer else text
