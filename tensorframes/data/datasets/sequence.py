"""The clouds of a split, read from the cache on access."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from tensorframes.data.cloud import Cloud
from tensorframes.data.datasets.cache import read_cached


@dataclass(frozen=True)
class Entry:
    """One cloud of a split: the cache file of its arrays, and its other attributes; ``points``: only its first ones."""

    name: str
    cache: Path
    oriented: bool = True
    category: str = "no_noise"
    label: int | None = None
    points: int | None = None

    def read(self) -> Cloud:
        """The cloud, from the cache."""
        arrays = read_cached(self.cache, self.name)
        cloud = Cloud(self.name, oriented=self.oriented, category=self.category, label=self.label, **arrays)
        return cloud if self.points is None else cloud.first(self.points)


class CachedClouds(Sequence[Cloud]):
    """The clouds of one split; each access reads one from its cache file.

    Args:
        entries: one per cloud, in the order of the split.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)

    @property
    def names(self) -> list[str]:
        """The clouds' names, without reading any."""
        return [entry.name for entry in self.entries]

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, index: int) -> Cloud: ...

    @overload
    def __getitem__(self, index: slice) -> "CachedClouds": ...

    def __getitem__(self, index: int | slice) -> "Cloud | CachedClouds":
        """One cloud; a slice is a part of the split, of which nothing is read yet."""
        if isinstance(index, slice):
            return CachedClouds(self.entries[index])
        return self.entries[index].read()
