"""A folder of clouds with normals, in any format of read_cloud.

The splits are the first of these that exists:

1. the sub-folders train, val and test;
2. the lists train.txt, val.txt and test.txt, one name a line, with or without ending;
3. shares of all files by splits.partition, a hash of their names.

If 1 or 2 has no val, it is held out of train (splits.held_out).
"""

import logging
import os
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path

from tensorframes.data.datasets.cache import Source, cache_each, cache_folder
from tensorframes.data.datasets.cleaning import Cleaned, clean
from tensorframes.data.datasets.pcpnet import UNORIENTED, category_of, check_marks, is_oriented, marks_of
from tensorframes.data.datasets.sequence import CachedClouds, Entry
from tensorframes.data.datasets.splits import held_out, partition
from tensorframes.data.io import CLOUD_SUFFIXES, read_cloud
from tensorframes.data.io.lists import read_names
from tensorframes.errors import UserError
from tensorframes.words import counted

SPLITS = ("train", "val", "test")
SHOWN = 4  # clouds in messages
NOT_CLOUDS = (UNORIENTED, *(f"{split}.txt" for split in SPLITS))


class Folder:
    """The splits of a folder of clouds, each read on first use.

    The name of a cloud is its path within the folder (or the split's folder) without the suffix, with _ for /.

    Args:
        root: the folder, with its sub-folders except hidden ones.
        shares: shares of train, val and test if neither folders nor lists define them.
        seed: of the shares.
        unoriented: names or patterns of clouds whose normals have inconsistent signs, beside those in
            ROOT/unoriented.txt.
        cache_dir: folder for the parsed clouds; None: the user's cache (``cache_folder``).
    """

    def __init__(
        self,
        root: str | Path,
        shares: Sequence[float] = (0.8, 0.1, 0.1),
        seed: int = 0,
        unoriented: Sequence[str] = (),
        cache_dir: str | Path | None = None,
    ) -> None:
        self.root, self.shares, self.seed = Path(root), tuple(shares), seed
        if len(self.shares) != 3 or min(self.shares) < 0 or abs(sum(self.shares) - 1) > 1e-6:
            raise UserError(f"data.shares: expected three shares (train, val, test) with the sum 1, got {list(shares)}")
        self.unoriented = (unoriented,) if isinstance(unoriented, str) else tuple(unoriented)
        self.cache_dir = cache_dir

    @cached_property
    def train(self) -> CachedClouds:
        """The training clouds."""
        return self._clouds("train")

    @cached_property
    def val(self) -> CachedClouds:
        """The validation clouds."""
        return self._clouds("val")

    @cached_property
    def test(self) -> CachedClouds:
        """The test clouds."""
        return self._clouds("test")

    @cached_property
    def _files(self) -> dict[str, dict[str, Path]]:
        """Names and files of the clouds of each split."""
        if not self.root.is_dir():
            raise UserError(f"{self.root}: expected a folder of clouds; set data.root")
        if any((self.root / split).is_dir() for split in SPLITS):
            return self._with_val({split: _clouds_in(self.root / split) for split in SPLITS})
        files = _clouds_in(self.root)
        if not files:
            raise UserError(f"{self.root}: expected files of type {', '.join(CLOUD_SUFFIXES)}, found none")
        lists = {split: self.root / f"{split}.txt" for split in SPLITS}
        if any(file.is_file() for file in lists.values()):
            listed = {split: _listed(file, files) for split, file in lists.items()}
            _tell_trained_on(self.root, listed)
            return self._with_val(listed)
        parts = partition(sorted(files), self.shares, self.seed)
        return {split: {name: files[name] for name in part} for split, part in zip(SPLITS, parts, strict=True)}

    def _with_val(self, splits: dict[str, dict[str, Path]]) -> dict[str, dict[str, Path]]:
        if splits["val"] or self.shares[1] == 0:
            return splits
        out = held_out(splits["train"], self.shares[1] / (self.shares[0] + self.shares[1]), self.seed)
        train = {name: file for name, file in splits["train"].items() if name not in out}
        return {**splits, "train": train, "val": {name: splits["train"][name] for name in sorted(out)}}

    def _remedy(self, split: str) -> str:
        """How to get clouds for a split that has none; sub-folders take precedence over lists, and both over shares."""
        if any((self.root / name).is_dir() for name in SPLITS):
            found = f"add clouds to the folder {self.root / split}"
        elif any((self.root / f"{name}.txt").is_file() for name in SPLITS):
            found = f"name clouds in the list {self.root / split}.txt"
        else:
            found = f"add clouds, or a folder {split} or a list {split}.txt, or set data.shares"
        return found + ("; without a test: test=false" if split == "test" else "")

    def _clouds(self, split: str) -> CachedClouds:
        files = self._files[split]
        if not files:
            raise UserError(f"{self.root}: expected clouds for {split}, found none; {self._remedy(split)}")
        sources = [Source(name, (file,), partial(read_labelled, file)) for name, file in files.items()]
        check_marks(self.unoriented, [name for clouds in self._files.values() for name in clouds], self.root)
        # Two splits may have files of the same name.
        what = f"{printable(self.root.resolve().name)} {split}"
        caches = cache_each(what, sources, cache_folder(self.root, self.cache_dir) / split)
        marks = marks_of(self.root, self.unoriented)
        return CachedClouds(
            Entry(name, cache, is_oriented(name, marks), category_of(name))
            for name, cache in zip(files, caches, strict=True)
        )


def read_labelled(file: Path) -> Cleaned:
    """The points and normals of a file, cleaned.

    Raises:
        UserError: it cannot be read, or has no normals.
    """
    columns = read_cloud(file)
    if columns.normal is None:
        names = " ".join(columns.names)
        raise UserError(
            f"{file}: expected normals (columns nx ny nz, or, without names, columns 4-6 of unit length, some of them "
            f"negative), got {names}"
        )
    return clean(str(file), columns.pos, columns.normal)


def printable(name: str) -> str:
    """The name of a file, which need not be UTF-8, as a text that can be written."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _clouds_in(folder: Path) -> dict[str, Path]:
    """Names and files of the clouds in a folder and its sub-folders, in order of names."""
    files: dict[str, Path] = {}
    for file in sorted(folder.rglob("*")):
        inner = file.relative_to(folder)
        hidden = any(part.startswith(".") for part in inner.parts)
        if hidden or file.suffix.lower() not in CLOUD_SUFFIXES or inner.as_posix() in NOT_CLOUDS or not file.is_file():
            continue
        name = printable("_".join(inner.with_suffix("").parts))
        if name in files:
            raise UserError(f"{folder}: expected one file for each name, got {files[name].name} and {file.name}")
        files[name] = file
    return files


def _tell_trained_on(root: Path, splits: dict[str, dict[str, Path]]) -> None:
    """Warns of training clouds that another list names, too: scores on them say nothing about other clouds."""
    for split in ("val", "test"):
        if both := [name for name in splits[split] if name in splits["train"]]:
            shown = ", ".join([*both[:SHOWN], *([f"{len(both) - SHOWN} more"] if len(both) > SHOWN else [])])
            logging.getLogger(__name__).warning(
                "%s: %s of %s.txt also in train.txt, so its scores are partly those of training clouds: %s",
                *(printable(str(root)), counted(len(both), "cloud"), split, shown),
            )


def _listed(file: Path, clouds: dict[str, Path]) -> dict[str, Path]:
    if not file.is_file():
        return {}
    listed = {}
    for line in read_names(file):
        path = Path(line)
        name = "_".join((path.with_suffix("") if path.suffix.lower() in CLOUD_SUFFIXES else path).parts)
        if name not in clouds:
            raise UserError(f"{file}: expected names of clouds in {file.parent}, got {line}")
        listed[name] = clouds[name]
    return listed
