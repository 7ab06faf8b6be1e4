"""A progress bar for what takes its time."""

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def progress(items: Sequence[Item], description: str) -> Iterable[Item]:
    """The items, with a progress bar on a terminal that goes away when done."""
    from rich.console import Console
    from rich.progress import track

    quiet = not sys.stderr.isatty() or len(items) < 2
    return track(items, description, console=Console(stderr=True), transient=True, disable=quiet)
