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


class ReplayError(RuntimeError):
    """What is repeated is not the computation that was recorded."""


class Recording:
    """The choices of one run, in order."""

    def __init__(self) -> None:
        self.choices: list[tuple[Any, Any]] = []  # the shapes that were asked about, and what was chosen
        self.place: int | None = None  # of the next choice to repeat; None while recording


CURRENT: ContextVar[Recording | None] = ContextVar("record", default=None)


@contextmanager
def recording() -> Iterator[Recording]:
    """While it lasts, every choice (see ``discrete``) is kept on the record."""
    record = Recording()
    token = CURRENT.set(record)
    try:
        yield record
    finally:
        CURRENT.reset(token)


@contextmanager
def replaying(record: Recording) -> Iterator[None]:
    """While it lasts, choices come from the record, in the order they were made, whatever the positions.

    Raises:
        ReplayError: more or fewer choices are asked for than were recorded.
    """
    record.place = 0
    token = CURRENT.set(record)
    try:
        yield
    finally:
        CURRENT.reset(token)
    if record.place != len(record.choices):
        raise ReplayError(f"expected {len(record.choices)} choices, as recorded, got {record.place}")


def discrete(choose: Callable[P, T]) -> Callable[P, T]:
    """Make a function whose result is a choice (rows of points) one that a record records and repeats."""

    @wraps(choose)
    def chosen(*args: P.args, **kwargs: P.kwargs) -> T:
        record = CURRENT.get()
        if record is None:
            return choose(*args, **kwargs)
        if record.place is None:
            token = CURRENT.set(None)  # choices made on the way to this one are part of it
            try:
                found = choose(*args, **kwargs)
            finally:
                CURRENT.reset(token)
            record.choices.append((_shapes(*args, *kwargs.values()), found))
            return found
        if record.place == len(record.choices):
            raise ReplayError(f"expected {len(record.choices)} choices, as recorded, got more")
        shapes, repeated = record.choices[record.place]
        if shapes != _shapes(*args, *kwargs.values()):
            raise ReplayError(f"expected choice {record.place} to be about shapes {shapes}, as recorded")
        record.place += 1
        return repeated

    return chosen


def _shapes(*values: object) -> list[tuple[int, ...]]:
    return [tuple(value.shape) for value in values if isinstance(value, Tensor)]
