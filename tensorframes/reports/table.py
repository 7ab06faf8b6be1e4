"""Tables of scores in the terminal."""

from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from tensorframes.errors import discard_output
from tensorframes.reports.grid import Grid, Metrics, grid_of
from tensorframes.reports.markdown import markdown_table

WIDEST = 110
"""Largest width of the columns of scores, in characters."""


class Terminal(Console):
    """Standard output. If its reader closes it, as ``head`` does, the rest is not shown, and the program continues."""

    def on_broken_pipe(self) -> None:
        """Rich would end the program."""
        self.quiet = True
        discard_output()


def compare(results: Mapping[str, Metrics], title: str | None = None) -> Table:
    """A rich table of scores, the best ones bold: one row per method, transposed if it is wider than WIDEST.

    Args:
        results: by method name, all of `scoring.score` or all of `scoring.score_rotated`.
        title: a line above the table.
    """
    return table_of(grid_of(results), title)


def table_of(grid: Grid, title: str | None = None) -> Table:
    """A rich table of a grid: a row for each method, or a column if there are too many columns for the terminal."""
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


def print_table(table: Table, console: Console | None = None) -> None:
    """Print a table; where the console is narrower than its numbers and names, lines wrap, and nothing is cut."""
    console = Terminal() if console is None else console
    for column in table.columns:
        column.width = None
    least, most = least_width(table), Measurement.get(console, console.options.update(max_width=10_000), table).maximum
    console.width = max(console.width, least)
    spare = console.width - least
    for column in table.columns if most > console.width else ():  # rich makes some columns narrower than their words
        sizes = [Measurement.get(console, console.options, cell) for cell in (column.header, *column.cells)]
        low, high = max(size.minimum for size in sizes), max(size.maximum for size in sizes)
        column.width = min(high, low + spare)
        spare -= column.width - low
    console.print(table)


def least_width(table: Table) -> int:
    """The width that a table needs for its numbers and names to be whole, in characters."""
    console = Console()
    return Measurement.get(console, console.options.update(max_width=10_000), table).minimum


def width(grid: Grid) -> int:
    """Least width of the columns of scores, in characters; headings break at spaces only."""
    return sum(2 + max(map(len, [*column.head.split(), "00.00"])) for column in grid.columns)


def markdown(grid: Grid) -> str:
    """The grid as a table in Markdown, its footer below."""
    text = markdown_table(grid.lines())
    return f"{text}\n\n{grid.footer}" if grid.footer else text
