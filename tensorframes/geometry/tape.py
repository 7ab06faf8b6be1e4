"""Recording which neighbours and samples a network chose, to make it choose the same ones for other positions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from torch import Tensor

P = ParamSpec("P")
T = TypeVar("T")


class OtherChoicesError(RuntimeError):
    """What is repeated is not the computation that was recorded."""


class Tape:
    """The choices of one run, in order."""

    def __init__(self) -> None:
        self.choices: list[tuple[Any, Any]] = []  # the shapes that were asked about, and what was chosen
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
        OtherChoicesError: more or fewer choices are asked for than were recorded.
    """
    tape.place = 0
    token = CURRENT.set(tape)
    try:
        yield
    finally:
        CURRENT.reset(token)
    if tape.place != len(tape.choices):
        raise OtherChoicesError(f"expected {len(tape.choices)} choices, as recorded, got {tape.place}")


def discrete(choose: Callable[P, T]) -> Callable[P, T]:
    """Make a function whose result is a choice (rows of points) one that a tape records and repeats."""

    @wraps(choose)
    def chosen(*args: P.args, **kwargs: P.kwargs) -> T:
        tape = CURRENT.get()
        if tape is None:
            return choose(*args, **kwargs)
        if tape.place is None:
            token = CURRENT.set(None)  # choices made on the way to this one are part of it
            try:
                found = choose(*args, **kwargs)
            finally:
                CURRENT.reset(token)
            tape.choices.append((_shapes(*args, *kwargs.values()), found))
            return found
        if tape.place == len(tape.choices):
            raise OtherChoicesError(f"expected {len(tape.choices)} choices, as recorded, got more")
        shapes, repeated = tape.choices[tape.place]
        if shapes != _shapes(*args, *kwargs.values()):
            raise OtherChoicesError(f"expected choice {tape.place} to be about shapes {shapes}, as recorded")
        tape.place += 1
        return repeated  # type: ignore[no-any-return]

    return chosen


def _shapes(*values: object) -> list[tuple[int, ...]]:
    return [tuple(value.shape) for value in values if isinstance(value, Tensor)]
