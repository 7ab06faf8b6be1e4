"""Recording and replay of discrete choices: a network takes the same neighbours and samples for other positions."""

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
    """The computation that is replayed is not the one that was recorded."""


class Recording:
    """The choices of one run, in order."""

    def __init__(self) -> None:
        self.choices: list[tuple[Any, Any]] = []  # shapes of the arguments, and the result
        self.place: int | None = None  # of the next choice to replay; None while recording


CURRENT: ContextVar[Recording | None] = ContextVar("record", default=None)


@contextmanager
def recording() -> Iterator[Recording]:
    """A context in which every choice (see ``discrete``) is recorded."""
    record = Recording()
    token = CURRENT.set(record)
    try:
        yield record
    finally:
        CURRENT.reset(token)


@contextmanager
def replaying(record: Recording) -> Iterator[None]:
    """A context in which choices are taken from the record, in their order, whatever the positions.
    Raises:
        ReplayError: the replayed computation makes more, fewer or other choices than were recorded.
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
    """A decorator for functions whose result is a discrete choice (rows of points), to be recorded and replayed."""

    @wraps(choose)
    def chosen(*args: P.args, **kwargs: P.kwargs) -> T:
        record = CURRENT.get()
        if record is None:
            return choose(*args, **kwargs)
        if record.place is None:
            token = CURRENT.set(None)  # choices made within this one are part of it
            try:
                choice = choose(*args, **kwargs)
            finally:
                CURRENT.reset(token)
            record.choices.append((_shapes(*args, *kwargs.values()), choice))
            return choice
        if record.place == len(record.choices):
            raise ReplayError(f"expected {len(record.choices)} choices, as recorded, got more")
        shapes, repeated = record.choices[record.place]
        if (found := _shapes(*args, *kwargs.values())) != shapes:
            raise ReplayError(f"expected choice {record.place} on tensors of shapes {shapes}, as recorded, got {found}")
        record.place += 1
        return repeated

    return chosen


def _shapes(*values: object) -> list[tuple[int, ...]]:
    return [tuple(value.shape) for value in values if isinstance(value, Tensor)]
