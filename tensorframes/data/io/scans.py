"""The scans of a file as one cloud."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.columns import table_of

Scan = Mapping[str, NDArray]
"""The columns of one scan."""


def shared_names(scans: Sequence[Scan]) -> list[str]:
    """Names of the columns that all scans have."""
    return [name for name in scans[0] if all(name in scan for scan in scans)]


def joined(scans: Sequence[Scan]) -> NDArray:
    """The rows of the scans one after the other, in the columns that all have, and the number of the scan, if there are
    several."""
    arrays = {name: np.concatenate([scan[name] for scan in scans]) for name in shared_names(scans)}
    if len(scans) > 1:
        arrays["scan"] = np.repeat(np.arange(len(scans), dtype=np.int32), counts_of(scans))
    return table_of(arrays)


def counts_of(scans: Sequence[Scan]) -> list[int]:
    """The numbers of points."""
    return [len(scan["x"]) for scan in scans]


def sensor_of(places: Sequence[NDArray | None], counts: Sequence[int]) -> NDArray | None:
    """The places of scans of so many points: one of all, or one for each point; None if one is unknown."""
    known = [place for place in places if place is not None]
    if len(known) < len(places):
        return None
    return known[0] if all((place == known[0]).all() for place in known) else np.repeat(known, counts, axis=0)


def of_some(names: Collection[str], scans: Sequence[Scan]) -> list[str]:
    """These names, if not all scans have such a column; whether some have one is told."""
    some, shared = {name for scan in scans for name in scan}, shared_names(scans)
    return [f"{name} of some scans" if name in some else name for name in dict.fromkeys(names) if name not in shared]
