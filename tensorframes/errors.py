"""The one error a user's own mistake raises; programs print it as one line and exit with 2."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended."""


class UserError(ValueError):
    """A mistake the user can mend: what was expected, what was found, and what to do."""


@contextmanager
def loading() -> Iterator[None]:
    """Within, Ctrl-C ends the program at once, with one line: libraries that are being imported, which takes seconds,
    would answer it with errors of their own."""

    def stop(*_: int | FrameType | None) -> NoReturn:
        sys.stderr.write("interrupted\n")
        sys.stderr.flush()
        os._exit(INTERRUPTED)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def interruptible(main: Callable[[], int | None]) -> int:
    """The exit code of a program: 0 where ``main`` gives none; 130 and one line on stderr after Ctrl-C."""
    try:
        return main() or 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


class LineParser(argparse.ArgumentParser):
    """Reads a script's arguments, and tells what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {' '.join(message.split())}\n")
