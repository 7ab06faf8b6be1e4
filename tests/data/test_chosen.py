"""Parts of a split: of each class in turn, nested, and the same whatever else is there."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from tensorframes.data import CachedClouds, part_of
from tensorframes.data.datasets.sequence import Entry
from tensorframes.errors import UserError

SIZES = (9, 5, 1)


def split(sizes: tuple[int, ...] = SIZES) -> CachedClouds:
    """Clouds of some classes; nothing is read."""
    return CachedClouds(
        Entry(f"{label}_{number:04d}", Path("none"), label=label)
        for label, size in enumerate(sizes)
        for number in range(size)
    )


def classes(clouds: CachedClouds) -> list[int]:
    return [Counter(entry.label for entry in clouds.entries)[label] for label in range(len(SIZES))]


def test_each_class_has_its_turn() -> None:
    assert [classes(part_of(split(), count)) for count in (3, 5, 11, 15)] == [
        [1, 1, 1],
        [2, 2, 1],
        [5, 5, 1],
        [9, 5, 1],
    ]


def test_smaller_parts_are_in_larger_ones_and_in_order() -> None:
    parts = [part_of(split(), count).names for count in range(1, 16)]
    assert all(set(less) < set(more) for less, more in pairwise(parts))
    assert all(names == sorted(names) and len(names) == count for count, names in enumerate(parts, start=1))
    assert part_of(split(), 4).names == part_of(split(), 4).names


def test_shares_are_of_all_and_one_at_least() -> None:
    assert [len(part_of(split(), share)) for share in (1.0, 0.2, 1e-9)] == [15, 3, 1]
    assert part_of(split(), None).names == split().names


def test_other_sequences_are_spaced_evenly() -> None:
    assert list(part_of([10, 11, 12, 13, 14, 15], 3)) == [10, 12, 14]


@pytest.mark.parametrize("wrong", [0, -1, 16, 0.0, 1.01, float("nan"), True, "half"])
def test_other_amounts_are_refused(wrong: object) -> None:
    with pytest.raises(
        UserError, match=r"expected amount to be a number of clouds from 1 to 15 or a share in \(0, 1\], got"
    ):
        part_of(split(), wrong)
