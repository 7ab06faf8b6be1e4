"""The bytes of a file, or one line on why it cannot be read."""

import re
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


def read_bytes(path: Path, expected: str = "points") -> bytes:
    """The content of a file. ``expected``: what it holds, for the error.

    Raises:
        UserError: it is missing, empty, a folder or unreadable.
    """
    try:
        content = file_of(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: expected a readable file, got: {reason}") from error
    if not content.strip():
        raise UserError(f"{path}: expected {expected}, got an empty file")
    return content
