"""Mistakes of the user, reported in one line with exit code 2; signals that end a program; libraries that are not
installed."""

import argparse
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, TextIO

INTERRUPTED, TERMINATED = 130, 143
"""The exit codes of programs that Ctrl-C and SIGTERM ended."""


class UserError(ValueError):
    """A mistake that the user can correct; the message says what was expected and what was found."""


class Stopped(KeyboardInterrupt):
    """A signal ended the program.

    Args:
        signum: number of the signal. message: what is saved, and how to continue; may be empty.
    """

    def __init__(self, signum: int, message: str = "") -> None:
        super().__init__(signum, message)
        self.signum, self.message = signum, message


def ending(error: KeyboardInterrupt) -> tuple[str, int]:
    """The line about a program that Ctrl-C or another signal ended, and its exit code: 128 and the signal's number."""
    signum = error.signum if isinstance(error, Stopped) else signal.SIGINT
    message = error.message if isinstance(error, Stopped) else " ".join(map(str, error.args))
    verbs: dict[int, str] = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
    verb = verbs.get(signum, f"stopped by {signal.Signals(signum).name}")
    return f"{verb}: {message}" if message else verb, 128 + signum


@contextmanager
def signals_raise(signals: Sequence[int]) -> Iterator[None]:
    """A context in which these signals raise ``Stopped``, also where they were ignored.

    A shell starts the background programs of a script with SIGINT ignored. Processes that this one forks have the
    handlers of before. There is no effect outside the main thread, where Python allows no handlers.
    """
    owner = os.getpid()
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, frame: FrameType | None) -> None:
        if os.getpid() == owner:
            raise Stopped(signum)
        signal.signal(signum, before[signum])
        os.kill(os.getpid(), signum)

    before = {signum: signal.getsignal(signum) for signum in signals}
    for signum in signals:
        signal.signal(signum, stop)
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


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

    It is 0 if ``main`` returns None, 130 or 143 (with one line on stderr) after Ctrl-C or SIGTERM, 0 if the reader of
    the output has closed it, as ``head`` does, and 2 (with one line) if the output is a file on a full disk.
    """
    escape_what_no_encoding_has()
    if sys.stderr is None:  # a shell may have closed it; print would then write to the standard output
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    try:
        code = main() or flushed()
    except KeyboardInterrupt as error:
        line, code = ending(error)
        print(line, file=sys.stderr)
        return code
    except BrokenPipeError:
        discard_output()
        return 0
    return code


def escape_what_no_encoding_has() -> None:
    """Let the standard streams write escapes for what they can't encode, as parts of the names of files."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def standard_output() -> Iterator[TextIO]:
    """The standard output, which must be open; it is flushed at the end.

    Raises:
        UserError: it is a file that cannot be written, as on a full disk.
    """
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_output()
        raise UserError(f"standard output: can't be written: {error.strerror or error}") from error


def flushed(text: str = "") -> int:
    """Write a text, and what is left before it, to the standard output; returns the exit code."""
    if sys.stdout is None:  # a shell may have closed it
        return 0
    try:
        with standard_output() as stream:
            stream.write(text)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def discard_output() -> None:
    """Let what is left of the standard output go nowhere: Python writes it once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, of the machine or of a GPU."""
    told = ("out of memory", "can't allocate memory")  # PyTorch on a GPU, and on a CPU
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(text in str(error) for text in told)
    )


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


def mistake(text: str) -> int:
    """Report a user error in one line; returns the exit code."""
    print(f"error: {text}", file=sys.stderr)
    return 2


class LineParser(argparse.ArgumentParser):
    """An argument parser that reports errors in one line."""

    def checked(self, words: Sequence[str]) -> list[str]:
        """The words of a command line. The program ends at one that begins with a minus and is no option: argparse
        leaves it out, and says that another argument is missing."""
        for word in words[: words.index("--") if "--" in words else None]:
            name = word.partition("=")[0]
            known = any(option == name or option.startswith(name) for option in self._option_string_actions)
            value = " " in word or re.fullmatch(r"-(\d+|\d*\.\d+)", word)  # argparse takes these for no options
            if name.startswith("-") and name != "-" and not known and not value:
                self.error(f"expected an option (--help lists them) or a file, got {word}; a file: .{os.sep}{word}")
        return list(words)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {' '.join(message.split())}\n")
