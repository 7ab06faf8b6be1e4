"""Mistakes of the user, reported in one line with exit code 2; Ctrl-C; libraries that are not installed."""

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
    """A mistake that the user can correct; the message says what was expected and what was found."""


@contextmanager
def loading() -> Iterator[None]:
    """A context in which Ctrl-C ends the program at once, with one line.

    It is for imports, which take seconds: interrupted libraries would raise errors of their own.
    """

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
    """Run a program; returns its exit code.

    It is 0 if ``main`` returns None, 130 (with one line on stderr) after Ctrl-C, and 0 if the reader of the output has
    closed it, as ``head`` does.
    """
    try:
        code = main() or 0
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
        return 0
    return code


DISTRIBUTIONS = {"hydra": "hydra-core", "pytorch_lightning": "pytorch-lightning", "skimage": "scikit-image"}
"""Package names for pip, where they differ from the names of the modules."""


def missing_library(module: str, purpose: str, extra: str) -> UserError:
    """The error for a library that is not installed; it names the extra of this package that installs it."""
    name = DISTRIBUTIONS.get(module, module)
    return UserError(f"expected {name} for {purpose}, got none; pip install 'tensorframes[{extra}]'")


@contextmanager
def needed_for(purpose: str, extra: str = "train") -> Iterator[None]:
    """A context for imports of libraries that only the extra installs.

    Raises:
        UserError: one of them is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise missing_library(str(error.name).partition(".")[0], purpose, extra) from error


class LineParser(argparse.ArgumentParser):
    """An argument parser that reports errors in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {' '.join(message.split())}\n")
