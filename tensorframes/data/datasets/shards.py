"""Shards: the clouds of a split in a few large HDF5 files, for datasets of millions of clouds.

Cloud i of a split lies in shard i mod S at place i div S, S being the number of shards. A shard holds the arrays of its
clouds one after another, uncompressed, so that a cloud is one contiguous part of each.
"""

import os
import re
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np
from torch.utils.data import Subset

from tensorframes.data.cloud import Cloud
from tensorframes.data.datasets.hdf5 import new_hdf5
from tensorframes.errors import UserError, needed_for
from tensorframes.progress import track
from tensorframes.words import counted

if TYPE_CHECKING:
    import h5py

FORMAT = 1  # of the shards; increased whenever their arrays change

OPEN_FILES = 64  # that one process keeps open

UNKNOWN = -1  # label of a cloud without one

TYPES = {"pos": "<f4", "normal": "<f4", "eval_index": "<i8"}
"""The large arrays, and their types."""

SMALL = ("start", "eval_start", "oriented", "label", "name", "category")
"""The others, which a process keeps while a shard is open."""


class Shards:
    """The splits of a folder of shards, as ``tensorframes shards`` writes them.

    Args:
        root: the folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    @cached_property
    def train(self) -> "ShardedClouds":
        """The training clouds."""
        return self._clouds("train")

    @cached_property
    def val(self) -> "ShardedClouds":
        """The validation clouds."""
        return self._clouds("val")

    @cached_property
    def test(self) -> "ShardedClouds":
        """The test clouds."""
        return self._clouds("test")

    def _clouds(self, split: str) -> "ShardedClouds":
        if not any(self.root.glob("*-of-*.h5")):
            raise UserError(f"{self.root}: expected shards, got none; tensorframes shards writes them")
        return ShardedClouds(shard_files(self.root, split))


class ShardedClouds(Sequence[Cloud]):
    """The clouds of one split; each access reads one.

    Training sample i (``TrainingSamples``) is drawn from shard i mod S, whatever the number of processes. Where S is a
    multiple of the batch size times the loader's processes of one rank, each process of each rank reads shards that no
    other reads.

    Args:
        files: the shards, in their order; none: no clouds.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = tuple(files)
        self._opened: OrderedDict[int, _Shard] = OrderedDict()
        self._owner = os.getpid()

    @property
    def shards(self) -> int:
        """S, their number."""
        return len(self.files)

    @cached_property
    def _count(self) -> int:
        counts = [_counts(file) for file in self.files]
        total = counts[0][1] if counts else 0
        for number, (file, found) in enumerate(zip(self.files, counts, strict=True)):
            if found != (own := len(range(number, total, self.shards)), total):
                raise UserError(
                    f"{file}: expected {own} of {counted(total, 'cloud')}, as {self.files[0].name} has it, got "
                    f"{found[0]} of {found[1]}: the shards are of two datasets"
                )
        return total

    def __len__(self) -> int:
        """The number of clouds.

        Raises:
            UserError: the shards do not belong together.
        """
        return self._count

    @overload
    def __getitem__(self, index: int) -> Cloud: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Cloud]: ...

    def __getitem__(self, index: int | slice) -> Cloud | Sequence[Cloud]:
        """One cloud; a slice is a part of the split, of which nothing is read yet."""
        if isinstance(index, slice):
            return cast(Sequence[Cloud], Subset(cast(Any, self), range(len(self))[index]))
        place = range(len(self))[index]
        return self._shard(place % self.shards).read(place // self.shards)

    def __getstate__(self) -> dict[str, Any]:
        """Without open files, which another process must not use."""
        return {**self.__dict__, "_opened": OrderedDict()}

    def _shard(self, number: int) -> "_Shard":
        """A shard, opened by this process; the least recently used ones are closed."""
        if self._owner != os.getpid():  # forked: the position in a file is shared
            self._owner, self._opened = os.getpid(), OrderedDict()
        if number not in self._opened:
            self._opened[number] = _Shard(self.files[number])
            while len(self._opened) > OPEN_FILES:
                self._opened.popitem(last=False)[1].file.close()
        self._opened.move_to_end(number)
        return self._opened[number]


class _Shard:
    """One open shard: where its clouds are, and their small attributes.

    Reading by offsets takes a tenth of the time that HDF5 takes for so small parts.
    """

    def __init__(self, path: Path) -> None:
        try:
            with _hdf5(path) as store:
                self.small = {key: store[key][()] for key in SMALL}
                self.offset = {key: store[key].id.get_offset() or 0 for key in TYPES}
            self.file = path.open("rb", buffering=0)
        except (OSError, KeyError) as error:
            raise UserError(f"{path}: expected a shard, got: {error}") from error

    def read(self, place: int) -> Cloud:
        """The cloud at this place."""
        own = {key: values[place] for key, values in self.small.items()}
        rows, scored = (self.small[key][place : place + 2] for key in ("start", "eval_start"))
        return Cloud(
            own["name"].decode(),
            self._part("pos", *3 * rows).reshape(-1, 3),
            self._part("normal", *3 * rows).reshape(-1, 3),
            bool(own["oriented"]),
            self._part("eval_index", *scored),
            own["category"].decode(),
            None if own["label"] == UNKNOWN else int(own["label"]),
        )

    def _part(self, key: str, first: int, last: int) -> np.ndarray:
        """Elements of an array, whose rows lie one after another."""
        kind = np.dtype(TYPES[key])
        self.file.seek(self.offset[key] + int(first) * kind.itemsize)
        values = np.fromfile(self.file, kind, int(last - first))
        if len(values) != last - first:
            raise UserError(f"{self.file.name}: expected {last} elements of {key}, got {first + len(values)}")
        return values


def _counts(path: Path) -> tuple[int, int]:
    """The clouds of a shard, and those of its split.

    Raises:
        UserError: it is not a shard of this format.
    """
    try:
        with _hdf5(path) as store:
            if store.attrs.get("format") != FORMAT:
                raise UserError(f"{path}: expected a shard of format {FORMAT}, got {store.attrs.get('format')}")
            return len(store["start"]) - 1, int(store.attrs["clouds"])
    except (OSError, KeyError) as error:
        raise UserError(f"{path}: expected a shard, got: {error}") from error


def shard_files(folder: Path, split: str) -> list[Path]:
    """The shards of a split; none if there are none.

    Raises:
        UserError: some are missing, or they are of two sizes.
    """
    files = sorted(folder.glob(f"{split}-*-of-*.h5"))
    counts = {int(cast(re.Match[str], re.search(r"-of-(\d+)\.h5$", file.name))[1]) for file in files}
    if files and counts != {len(files)}:
        raise UserError(f"{folder}: expected {counted(min(counts), 'shard')} of {split}, got {len(files)}")
    return files


def write_shards(clouds: Sequence[Cloud], folder: str | Path, split: str, count: int) -> list[Path]:
    """Writes clouds as ``count`` shards, at most one a cloud; each file whole or not at all.

    Existing shards are kept, so that an interrupted call can be repeated; delete the folder to write it anew. Their
    numbers of clouds and their first clouds are compared with the given ones.

    Raises:
        UserError: count < 1, the split exists with another number of shards or other clouds, a cloud has no normals, or
            the disk is full.
    """
    folder, count = Path(folder), min(count, len(clouds))
    if count < 1:
        raise UserError(f"expected at least one shard of at least one cloud for {split}, got {count}")
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{split}-{number:05d}-of-{count:05d}.h5" for number in range(count)]
    if others := set(folder.glob(f"{split}-*-of-*.h5")) - set(files):
        raise UserError(f"{folder}: expected no other shards of {split}, got {min(others).name}; delete them first")
    for number in range(count):
        if files[number].exists():
            _expect_same(files[number], clouds[number], len(range(number, len(clouds), count)), len(clouds))
    for number in track(range(count), f"writing shards of {split}"):
        if not files[number].exists():
            members = [clouds[index] for index in range(number, len(clouds), count)]
            _write_shard(files[number], members, len(clouds))
    return files


def _expect_same(file: Path, first: Cloud, own: int, total: int) -> None:
    """Raises UserError if a shard holds other numbers of clouds than these, or another first cloud."""
    if (found := _counts(file)) != (own, total):
        got = f"{found[0]} of {counted(found[1], 'cloud')}"
        raise UserError(f"{file}: expected a shard of {own} of these {total}, got {got}; delete the folder first")
    kept = _Shard(file).read(0)
    if any(getattr(kept, key) != getattr(first, key) for key in ("name", "category", "oriented", "label")) or any(
        not np.array_equal(getattr(kept, key), np.asarray(getattr(first, key), kind)) for key, kind in TYPES.items()
    ):
        got = f"one that begins with another cloud, {kept.name}"
        raise UserError(f"{file}: expected a shard of these clouds, got {got}; delete the folder first")


def _write_shard(file: Path, clouds: Sequence[Cloud], total: int) -> None:
    if without := [cloud.name for cloud in clouds if cloud.normal is None]:
        raise UserError(f"expected normals in every cloud of a shard, got none for {without[0]}")
    try:
        _write_arrays(file, clouds, total)
    except OSError as error:
        raise UserError(f"{file}: the shard can't be written ({error.strerror or error})") from error


def _write_arrays(file: Path, clouds: Sequence[Cloud], total: int) -> None:
    with new_hdf5(file, "shards") as store:
        store.attrs["format"], store.attrs["clouds"] = FORMAT, total
        store["start"] = _starts([len(cloud) for cloud in clouds])
        store["eval_start"] = _starts([len(cloud.eval_index) for cloud in clouds])
        for key, kind in TYPES.items():
            store[key] = np.concatenate([getattr(cloud, key) for cloud in clouds]).astype(kind)
        store["oriented"] = np.array([cloud.oriented for cloud in clouds])
        store["label"] = np.array([UNKNOWN if cloud.label is None else cloud.label for cloud in clouds])
        for key in ("name", "category"):
            store[key] = np.array([getattr(cloud, key).encode() for cloud in clouds])


def _starts(lengths: Sequence[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _hdf5(path: Path) -> "h5py.File":
    with needed_for("shards"):
        import h5py
    return h5py.File(path, "r", locking=False)
