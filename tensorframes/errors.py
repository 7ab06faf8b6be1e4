"""The one error a user's own mistake raises; programs print it as one line and exit with 2."""

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended."""


class UserError(ValueError):
    """A mistake the user can mend: what was expected, what was found, and what to do."""


def interruptible(main: Callable[[], int | None]) -> int:
    """The exit code of a program: 0 where ``main`` gives none; 130 and one line on stderr after Ctrl-C.

    What ``main`` imports itself is covered, too: torch alone takes seconds.
    """
    try:
        return main() or 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


class LineParser(argparse.ArgumentParser):
    """Reads a script's arguments, and tells what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {' '.join(message.split())}\n")
