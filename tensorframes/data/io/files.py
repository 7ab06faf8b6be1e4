"""The bytes of a file, or one line on why it cannot be read."""

import contextlib
import os
import re
import stat
from pathlib import Path

from tensorframes.errors import UserError

LONGEST = 160
"""Longest message of a library that is passed on to the user."""

DATASET = re.compile(r"(.*\.(?:h5|hdf5)):(.+)", re.IGNORECASE | re.DOTALL)
"""A file, and a dataset in it."""


def one_line(error: BaseException) -> str:
    """The message of an exception on one line, shortened."""
    text = " ".join(str(error).partition("****")[0].split()) or type(error).__name__  # libE57 puts its source there
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def file_of(path: Path) -> Path:
    """The file that a path names: `scan.h5` of `scan.h5:group/points`, unless there is a file of the whole name."""
    found = DATASET.fullmatch(str(path))
    return Path(found[1]) if found and not path.exists() else path


def dataset_of(path: Path) -> str:
    """The dataset that a path names: `group/points` of `scan.h5:group/points`; empty if it names none."""
    found = DATASET.fullmatch(str(path))
    return found[2] if found and not path.exists() else ""


def expect_readable(path: Path) -> None:
    """Checks that a path names a file that is there, and has an end.

    Raises:
        UserError: it does not.
    """
    try:
        expect_end(file_of(path))
    except UserError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: expected a readable file, got: {reason}") from error


def expect_end(file: Path | int, name: str = "") -> None:
    """Checks that a file has an end, which a device as /dev/zero may not have; a terminal at the standard input has.

    Args:
        file: its path, or the number of an open one. name: for the error; by default the path.

    Raises:
        OSError: there is no such file.
        UserError: it is a device.
    """
    status, terminal = os.stat(file), False
    with contextlib.suppress(OSError):  # the standard input may be closed
        terminal = os.isatty(0) and os.path.samestat(status, os.fstat(0))
    if not terminal and (stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)):
        raise UserError(f"{name or file}: expected a file or a pipe, got a device")


def read_bytes(path: Path, expected: str = "points") -> bytes:
    """The content of a file. ``expected``: what it holds, for the error.

    Raises:
        UserError: it is missing, empty, a folder, a device or unreadable.
    """
    expect_readable(path)
    try:
        content = file_of(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: expected a readable file, got: {error.strerror or error}") from error
    if not content.strip():
        raise UserError(f"{path}: expected {expected}, got an empty file")
    return content
