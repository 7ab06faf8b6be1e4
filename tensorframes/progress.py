"""Progress of long computations: one type of callback, and a bar on the terminal that is one."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

Progress = Callable[[int, int], None]
"""Called with the number of finished units of work and their total number, 0 if that is unknown."""


def tracked(items: Sequence[Item], progress: Progress | None) -> Iterator[Item]:
    """The items in order; each counts as finished when the next one is requested."""
    for done, item in enumerate(items):
        if progress is not None:
            progress(done, len(items))
        yield item
    if progress is not None:
        progress(len(items), len(items))


@contextmanager
def progress_bar(
    description: str, byte_counts: bool = False, points: int = 0, shown: bool = True
) -> Iterator[Progress]:
    """A progress bar on standard error, removed at the end; nothing is shown if that is no terminal.

    Args:
        description: text at the left of the bar.
        byte_counts: units are bytes, shown as sizes and as a rate.
        points: the whole work is that of so many points; their rate is shown.
        shown: whether there is a bar at all.
    """
    from rich import progress as rich
    from rich.console import Console

    sizes = (rich.DownloadColumn(), rich.TransferSpeedColumn()) if byte_counts else (rich.TaskProgressColumn(),)
    rates = (rich.TextColumn("{task.fields[rate]}"),) if points else ()
    columns = (rich.TextColumn("{task.description}"), rich.BarColumn(), *sizes, *rates, rich.TimeRemainingColumn())
    hidden = not (shown and sys.stderr.isatty())
    with rich.Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden) as bar:
        task, begin = bar.add_task(description, total=None, rate=""), time.monotonic()

        def update(done: int, total: int) -> None:
            rate = points * done / total / max(time.monotonic() - begin, 1e-3) if total else 0.0
            bar.update(task, completed=done, total=total or None, rate=f"{rate:,.0f} points/s" if rate else "")

        yield update


def track(items: Sequence[Item], description: str) -> Iterator[Item]:
    """The items in order, with a progress bar if there are several."""
    if len(items) < 2:
        yield from items
        return
    with progress_bar(description) as progress:
        yield from tracked(items, progress)
