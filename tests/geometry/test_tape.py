"""A tape repeats choices, in order, whatever the positions; another computation is refused."""

import pytest
import torch

from tensorframes.geometry import OtherChoicesError, independent_set, knn, recording, repeating


def clouds() -> tuple[torch.Tensor, torch.Tensor]:
    first, second = torch.randn(2, 30, 3, generator=torch.Generator().manual_seed(0))
    return first, second


def test_choices_are_repeated_for_other_positions() -> None:
    here, there = clouds()
    with recording() as tape:
        recorded = knn(here, 4), independent_set(here, 0.8)
    with repeating(tape):
        repeated = knn(there, 4), independent_set(there, 0.8)
    assert all(torch.equal(a, b) for a, b in zip(recorded, repeated, strict=True))
    assert not torch.equal(knn(there, 4), recorded[0])
    assert len(tape.choices) == 2  # what was chosen on the way to the samples is part of that choice


def test_another_computation_is_refused() -> None:
    here, _ = clouds()
    with recording() as tape:
        knn(here, 4)
    with pytest.raises(OtherChoicesError, match="got 0"), repeating(tape):
        pass
    with pytest.raises(OtherChoicesError, match="got more"), repeating(tape):
        assert knn(here, 4) is not knn(here, 4)
    with pytest.raises(OtherChoicesError, match="shapes"), repeating(tape):
        knn(here[:10], 4)
    assert knn(here[:10], 4).shape == (10, 4)
