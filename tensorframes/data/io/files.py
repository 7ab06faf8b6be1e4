"""The bytes of a file, and one line on why there are none."""

from pathlib import Path

from tensorframes.errors import UserError

LONGEST = 160
"""Characters of a library's message that users are told."""


def one_line(error: BaseException) -> str:
    """What a library says, without line breaks and not too long."""
    told = " ".join(str(error).split()) or type(error).__name__
    return told if len(told) <= LONGEST else f"{told[: LONGEST - 3]}..."


def read_bytes(path: Path) -> bytes:
    """The file's content.

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
