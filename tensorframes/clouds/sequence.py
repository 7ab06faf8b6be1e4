"""Clouds of a split in their order, read from the cache when they are asked for."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, overload

from tensorframes.clouds.cache import ensure_cache, read_cached, read_counts
from tensorframes.clouds.cleaning import Cleaned, report
from tensorframes.clouds.cloud import Cloud

Item = TypeVar("Item")


@dataclass(frozen=True)
class Source:
    """One cloud of a data set: its name, the files it is made from, and what reads and cleans them."""

    name: str
    files: tuple[Path, ...]
    read: Callable[[], Cleaned]


@dataclass(frozen=True)
class Entry:
    """One cloud of a split: where its arrays are cached, and what is known about it besides."""

    name: str
    cache: Path
    oriented: bool = True
    category: str = "no_noise"
    label: int | None = None

    def read(self) -> Cloud:
        """The cloud, from the cache."""
        arrays = read_cached(self.cache, self.name)
        return Cloud(self.name, oriented=self.oriented, category=self.category, label=self.label, **arrays)


class CachedClouds(Sequence[Cloud]):
    """The clouds of one split; each access reads one from its cache file.

    Args:
        entries: one a cloud, in the order of the split.
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
        """The cloud at a place; a slice gives the part of the split, none of it read yet."""
        if isinstance(index, slice):
            return CachedClouds(self.entries[index])
        return self.entries[index].read()


def cache_each(what: str, sources: Sequence[Source], folder: Path) -> list[Path]:
    """Caches each cloud in a file of its own, which several lists may share, and reports what was met.

    Args:
        what: the split, for the report.
        sources: the clouds.
        folder: where the cache files go.

    Returns:
        The cache files, in the order of the sources.

    Raises:
        UserError: a source can't be read, or the cache can't be written.
    """
    files = [_cache_one(source, folder) for source in progress(sources, f"reading {what}")]
    report(what, [counts for file in files for counts in read_counts(file)])
    return files


def cache_together(what: str, sources: Sequence[Source], file: Path) -> Path:
    """Caches all clouds in one file, and reports what was met; for data sets of thousands of small clouds."""
    paths = [path for source in sources for path in source.files]

    def build() -> Iterator[tuple[str, Cleaned]]:
        return ((source.name, source.read()) for source in progress(sources, f"reading {what}"))

    ensure_cache(file, paths, build)
    report(what, read_counts(file))
    return file


def progress(items: Sequence[Item], description: str) -> Iterable[Item]:
    """The items, with a progress bar on a terminal that goes away when done."""
    from rich.console import Console
    from rich.progress import track

    quiet = not sys.stderr.isatty() or len(items) < 2
    return track(items, description, console=Console(stderr=True), transient=True, disable=quiet)


def _cache_one(source: Source, folder: Path) -> Path:
    # The name alone could be a path, or differ from another in capitals only.
    safe = "".join(letter if letter.isalnum() or letter in "-_." else f"%{ord(letter):x}" for letter in source.name)
    return ensure_cache(folder / f"{safe}.h5", source.files, lambda: [(source.name, source.read())])
