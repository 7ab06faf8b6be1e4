"""The bytes of a file, or one line on why it cannot be read."""

from pathlib import Path

from tensorframes.errors import UserError

LONGEST = 160
"""Longest message of a library that is passed on to the user."""


def one_line(error: BaseException) -> str:
    """The message of an exception on one line, shortened."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        UserError: it is missing, empty, a folder or unreadable.
    """
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: expected a readable file, got: {reason}") from error
    if not content.strip():
        raise UserError(f"{path}: expected points, got an empty file")
    return content
