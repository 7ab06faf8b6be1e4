"""Tables of scores: on the screen (rich), in Markdown and as CSV."""

import csv
import io
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


def to_markdown(results: Mapping[str, Metrics]) -> str:
    """The same table in Markdown, the best of each column bold, the footer as a paragraph below."""
    grid = grid_of(results)
    lines = [
        "| | " + " | ".join(column.head.replace("|", "\\|") for column in grid.columns) + " |",
        "|" + "---|" + "---:|" * len(grid.columns),
    ]
    for name, values in grid.rows:
        shown = [column.text(value) for column, value in zip(grid.columns, values, strict=True)]
        cells = [f"**{text}**" if text == grid.best(index) else text for index, text in enumerate(shown)]
        lines.append("| " + " | ".join([name.replace("|", "\\|"), *cells]) + " |")
    return "\n".join([*lines, "", grid.footer, ""])


def to_csv(results: Mapping[str, Metrics]) -> str:
    """The same table as CSV with all digits, empty where there is no value, no footer."""
    grid = grid_of(results)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["method", *(column.head for column in grid.columns)])
    writer.writerows([name, *("" if value is None else value for value in values)] for name, values in grid.rows)
    return out.getvalue()
