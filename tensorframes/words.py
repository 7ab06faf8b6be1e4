"""Singular and plural in messages."""


def counted(count: int, noun: str) -> str:
    """A number with its noun: "1 point", "2 points", "20,000 test clouds"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def every(count: int, noun: str) -> str:
    """All of a number of things: "all 20 clouds", but "the only cloud"."""
    return f"the only {noun}" if count == 1 else f"all {counted(count, noun)}"


def be(count: int) -> str:
    """The verb of a number of things."""
    return "is" if count == 1 else "are"
