"""What stands in a file behind all that its header declares."""

from collections.abc import Sequence

from tensorframes.words import counted

FILLING = "\0\t\r\n\x1a "
"""What may fill the end of a file; programs of DOS ended text with the last but one."""


def note_on_bytes(content: bytes, end: int) -> tuple[str, ...]:
    """The note on bytes of binary content from `end` on; none on filling.

    Raises:
        ValueError: they are there because line feeds became two bytes each.
    """
    more = len(content) - end
    if more > 0 and content.count(b"\r\n") == content.count(b"\n") == more:
        raise ValueError("bytes 10 that became 13 10, as in a transfer in text mode: transfer it as binary")
    return _note(more, "byte") if content[end:].strip(FILLING.encode()) else ()


def note_on_lines(lines: Sequence[str], end: int) -> tuple[str, ...]:
    """The note on lines of text from `end` on; none on blank ones."""
    return _note(sum(bool(line.strip(FILLING)) for line in lines[end:]), "line")


def _note(count: int, what: str) -> tuple[str, ...]:
    return (f"{counted(count, f'more {what}')} than the header declares, ignored",) if count else ()
