"""Splits by a hash: the same everywhere, and never empty without need."""

import pytest

from tensorframes.data.datasets.splits import fraction, held_out, partition

NAMES = [f"cloud{index}" for index in range(400)]


def test_fraction_never_changes():
    # Written down: a split of somebody's data must not move with a release.
    assert fraction("bunny", 0) == pytest.approx(0.97564893)
    assert fraction("bunny", 1) != fraction("bunny", 0)


def test_held_out_share_is_near_and_stable():
    out = held_out(NAMES, 0.25)
    assert 70 <= len(out) <= 130
    assert held_out(NAMES[:200], 0.25) == out & set(NAMES[:200])
    assert held_out(NAMES, 0.25, seed=1) != out


def test_held_out_leaves_and_takes_at_least_one():
    assert len(held_out(["a", "b"], 0.001)) == 1
    assert len(held_out(["a", "b"], 0.999)) == 1
    assert held_out(["a"], 0.5) == set()
    assert held_out(["a", "b"], 0) == set()
    with pytest.raises(ValueError, match="share held out"):
        held_out(["a", "b"], 1)


def test_partition_is_whole_and_gives_each_share_something():
    parts = partition(NAMES, (0.8, 0.1, 0.1))
    assert sorted(name for part in parts for name in part) == sorted(NAMES)
    assert 20 <= len(parts[1]) <= 60
    for count in (3, 4, 5):
        assert all(partition(NAMES[:count], (0.8, 0.1, 0.1)))
    assert partition(NAMES[:5], (1, 0, 0))[1:] == [[], []]
    with pytest.raises(ValueError, match="sum to 1"):
        partition(NAMES, (0.8, 0.1))
