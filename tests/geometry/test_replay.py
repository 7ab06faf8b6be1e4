"""A record repeats choices, in order, whatever the positions; another computation is refused."""

import pytest
import torch

from tensorframes.geometry import ReplayError, independent_set, knn, recording, replaying


def clouds() -> tuple[torch.Tensor, torch.Tensor]:
    first, second = torch.randn(2, 30, 3, generator=torch.Generator().manual_seed(0))
    return first, second


def test_choices_are_repeated_for_other_positions() -> None:
    here, there = clouds()
    with recording() as record:
        recorded = knn(here, 4), independent_set(here, 0.8)
    with replaying(record):
        repeated = knn(there, 4), independent_set(there, 0.8)
    assert all(torch.equal(a, b) for a, b in zip(recorded, repeated, strict=True))
    assert not torch.equal(knn(there, 4), recorded[0])
    assert len(record.choices) == 2  # what was chosen on the way to the samples is part of that choice


def test_another_computation_is_refused() -> None:
    here, _ = clouds()
    with recording() as record:
        knn(here, 4)
    with pytest.raises(ReplayError, match="got 0"), replaying(record):
        pass
    with pytest.raises(ReplayError, match="got more"), replaying(record):
        assert knn(here, 4) is not knn(here, 4)
    with pytest.raises(ReplayError, match="shapes"), replaying(record):
        knn(here[:10], 4)
    assert knn(here[:10], 4).shape == (10, 4)
