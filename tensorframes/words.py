"""Numbers in messages: singular and plural, shares."""


def counted(count: int, noun: str) -> str:
    """A number with its noun: "1 point", "2 points", "20,000 test clouds"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def every(count: int, noun: str) -> str:
    """All of a number of things: "all 20 clouds", but "the only cloud"."""
    return f"the only {noun}" if count == 1 else f"all {counted(count, noun)}"


def be(count: int) -> str:
    """The verb of a number of things."""
    return "is" if count == 1 else "are"


def percent(share: float) -> str:
    """A share from 0 to 1 with two digits: "0 %", "3.5 %", "12 %", "100 %", and "below 0.01 %"."""
    if 0 < share < 1e-4:
        return "below 0.01 %"
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"
