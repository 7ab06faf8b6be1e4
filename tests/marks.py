"""Marks for parameters of tests."""

from collections.abc import Iterable

import pytest


def slow_except(quick: Iterable[str], names: Iterable[str]) -> list[object]:
    """Names as parameters, all marked ``slow`` but the quick ones, which are tested each time.

    Raises:
        ValueError: a quick one is not among the names.
    """
    quick, names = set(quick), list(names)
    if quick - set(names):
        raise ValueError(f"expected names of {', '.join(names)}, got {', '.join(sorted(quick - set(names)))}")
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]
