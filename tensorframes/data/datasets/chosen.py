"""A part of a split: so many of its clouds, chosen without drawing random numbers."""

from collections.abc import Hashable, Sequence
from typing import Any, cast

from torch.utils.data import Subset

from tensorframes.data.cloud import Cloud
from tensorframes.data.datasets.sequence import CachedClouds, Entry
from tensorframes.data.datasets.splits import fraction
from tensorframes.errors import UserError


def evenly_spaced(clouds: Sequence[Cloud], count: int | None) -> Sequence[Cloud]:
    """At most ``count`` clouds, evenly spaced in the sequence; all if it is None."""
    if count is None or len(clouds) <= count:
        return clouds
    chosen = Subset(cast(Any, clouds), [index * len(clouds) // count for index in range(count)])
    return cast(Sequence[Cloud], chosen)


def first_of(clouds: Sequence[Cloud], count: int) -> Sequence[Cloud]:
    """The first ``count`` clouds."""
    return clouds if len(clouds) <= count else cast(Sequence[Cloud], Subset(cast(Any, clouds), range(count)))


def part_of(clouds: Sequence[Cloud], amount: int | float | None, key: str = "amount") -> Sequence[Cloud]:
    """A number (int) or a share (float) of the clouds, in their order; all if it is None.

    Clouds of a dataset are taken from each class in turn (ModelNet40's classes, else the categories), within a class
    in the order of a hash of their names. So a smaller part is contained in a larger one, no class has two clouds more
    than another unless that one is used up, and a partial copy changes little. Other sequences have no names before
    they are read: theirs are evenly spaced.

    Args:
        clouds: of a split. amount: at most their number, or a share in (0, 1]; 1 is one cloud, 1.0 all. key: of the
            setting, for errors.

    Raises:
        UserError: the amount is neither.
    """
    if amount is None:
        return clouds
    count = amount if type(amount) is int else 0
    if type(amount) is float and 0 < amount <= 1:
        count = max(1, round(amount * len(clouds)))
    if not 1 <= count <= len(clouds):
        raise UserError(
            f"expected {key} to be a number of clouds from 1 to {len(clouds)} or a share in (0, 1], got {amount}"
        )
    if not isinstance(clouds, CachedClouds):
        return evenly_spaced(clouds, count)
    chosen = set(in_turn(clouds.entries)[:count])
    return CachedClouds(entry for entry in clouds.entries if entry.name in chosen)


def in_turn(entries: Sequence[Entry]) -> list[str]:
    """The names of clouds, one of each class in turn, within a class in the order of their hash."""
    members: dict[Hashable, int] = {}
    turns = []
    for entry in sorted(entries, key=lambda entry: (fraction(entry.name), entry.name)):
        kind = entry.category if entry.label is None else entry.label
        members[kind] = members.get(kind, 0) + 1
        turns.append((members[kind], fraction(entry.name), entry.name))
    return [name for *_, name in sorted(turns)]
