"""Recording which neighbours and samples a network chose, to make it choose the same ones for other positions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Tape:
    """The choices of one run, in order."""

    def __init__(self) -> None:
        self.choices: list[Any] = []
        self.place: int | None = None  # of the next choice to repeat; None while recording


CURRENT: ContextVar[Tape | None] = ContextVar("tape", default=None)


@contextmanager
def recording() -> Iterator[Tape]:
    """While it lasts, every choice (see ``discrete``) is kept on the tape."""
    tape = Tape()
    token = CURRENT.set(tape)
    try:
        yield tape
    finally:
        CURRENT.reset(token)


@contextmanager
def repeating(tape: Tape) -> Iterator[None]:
    """While it lasts, choices come from the tape, in the order they were made, whatever the positions.

    Raises:
        RuntimeError: more or fewer choices are asked for than were recorded: it is not the same computation.
    """
    tape.place = 0
    token = CURRENT.set(tape)
    try:
        yield
    finally:
        CURRENT.reset(token)
    if tape.place != len(tape.choices):
        raise RuntimeError(f"expected {len(tape.choices)} choices, as recorded, got {tape.place}")


def discrete(choose: Callable[P, T]) -> Callable[P, T]:
    """Make a function whose result is a choice (rows of points) one that a tape records and repeats."""

    @wraps(choose)
    def chosen(*args: P.args, **kwargs: P.kwargs) -> T:
        tape = CURRENT.get()
        if tape is None:
            return choose(*args, **kwargs)
        if tape.place is None:
            tape.choices.append(choose(*args, **kwargs))
            return tape.choices[-1]
        if tape.place == len(tape.choices):
            raise RuntimeError(f"expected {len(tape.choices)} choices, as recorded, got more")
        tape.place += 1
        return tape.choices[tape.place - 1]

    return chosen
