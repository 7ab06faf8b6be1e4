"""ModelNet40 with normals, from either of the two releases of PointNet's authors.

- txt, `modelnet40_normal_resampled`: CLASS/CLASS_0001.txt with 10,000 rows x,y,z,nx,ny,nz; modelnet40_train.txt and
  modelnet40_test.txt (9,843 and 2,468 names), modelnet40_shape_names.txt (40 classes).
- hdf5, `modelnet40_ply_hdf5_2048`: train_files.txt and test_files.txt name HDF5 files with data (B, 2048, 3),
  normal (B, 2048, 3) and label (B, 1).

Both are for academic use. There is no validation list: it is held out of the training list (splits.held_out).
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tensorframes.data.datasets.cache import Source, cache_folder, cache_together, ensure_cache, read_counts
from tensorframes.data.datasets.cleaning import Cleaned, clean, report
from tensorframes.data.datasets.locate import Layout, Origin, locate
from tensorframes.data.datasets.sequence import CachedClouds, Entry
from tensorframes.data.datasets.splits import check_share, held_out
from tensorframes.data.io.lists import read_names, read_values
from tensorframes.errors import UserError, needed_for
from tensorframes.progress import track
from tensorframes.words import counted

if TYPE_CHECKING:
    import h5py

STANFORD = "https://shapenet.cs.stanford.edu/media/"
ARCHIVES = {"txt": "modelnet40_normal_resampled.zip", "hdf5": "modelnet40_ply_hdf5_2048.zip"}
EXPECTED = {
    "txt": "modelnet40_train.txt, modelnet40_test.txt, modelnet40_shape_names.txt, CLASS/CLASS_0001.txt",
    "hdf5": "train_files.txt, test_files.txt and the .h5 files that they name",
}
LISTS = {"txt": "modelnet40_{}.txt", "hdf5": "{}_files.txt"}


class ModelNet40:
    """The splits of ModelNet40, each read on first use.

    Args:
        root: the folder of the release, or its parent; it is downloaded to it if it is absent.
        source: txt or hdf5, which release.
        allow_partial: use the available clouds of the lists; otherwise an incomplete copy is an error.
        points: number of points of each cloud, the first ones, as the authors of PointNet and PointNet++ do; None: all.
        val_share: part of the training list held out for validation.
        seed: of val_share.
        archive: a local ZIP file of the release.
        sources: addresses of that file, tried in order; None takes Stanford's.
        sha256: the archive's checksum, if known.
        size: the archive's size in bytes, if known.
        cache_dir: folder for the parsed clouds; None: the user's cache (``cache_folder``).

    Raises:
        UserError: the source is not one of the two, points is below 1, or val_share not in [0, 1).
    """

    def __init__(
        self,
        root: str | Path,
        source: str = "txt",
        allow_partial: bool = False,
        points: int | None = None,
        val_share: float = 0.05,
        seed: int = 0,
        archive: str | Path | None = None,
        sources: Sequence[str] | None = None,
        sha256: str | None = None,
        size: int | None = None,
        cache_dir: str | Path | None = None,
    ) -> None:
        if source not in ARCHIVES:
            raise UserError(f"data.source: expected one of {', '.join(ARCHIVES)}, got {source}")
        if points is not None and points < 1:
            raise UserError(f"expected data.points >= 1 or null, got {points}")
        check_share(val_share)
        self.points = points
        self.root, self.source, self.allow_partial = Path(root), source, allow_partial
        self.val_share, self.seed, self.cache_dir = val_share, seed, cache_dir
        addresses = (STANFORD + ARCHIVES[source],) if sources is None else tuple(sources)
        self.origin = Origin(Path(archive) if archive else None, addresses, sha256, size)

    @cached_property
    def folder(self) -> Path:
        """The folder of the release; the first use downloads or unpacks it if it is absent."""
        lists = [LISTS[self.source].format(split) for split in ("train", "test")]
        layout = Layout(
            f"ModelNet40 ({self.source})",
            EXPECTED[self.source],
            lambda path: any((path / name).is_file() for name in lists),
        )
        return locate(self.root, layout, self.origin)

    @cached_property
    def train(self) -> CachedClouds:
        """The training list without the clouds held out for validation."""
        return CachedClouds(entry for entry in self._listed_train if entry.name not in self._held_out)

    @cached_property
    def val(self) -> CachedClouds:
        """The clouds held out of the training list."""
        return CachedClouds(entry for entry in self._listed_train if entry.name in self._held_out)

    @cached_property
    def test(self) -> CachedClouds:
        """The test list."""
        return CachedClouds(self._entries("test"))

    @cached_property
    def _listed_train(self) -> list[Entry]:
        return self._entries("train")

    @cached_property
    def _held_out(self) -> set[str]:
        return held_out((entry.name for entry in self._listed_train), self.val_share, self.seed)

    def _entries(self, split: str) -> list[Entry]:
        entries = self._text_entries(split) if self.source == "txt" else self._hdf5_entries(split)
        return [replace(entry, points=self.points) for entry in entries]

    def _text_entries(self, split: str) -> list[Entry]:
        classes = _classes(self.folder)
        listed = {name: self.folder / _class_of(name) / f"{name}.txt" for name in self._read_list(split)}
        if unknown := [name for name in listed if _class_of(name) not in classes]:
            raise UserError(f"{self.folder}: expected classes of modelnet40_shape_names.txt, got {unknown[0]}")
        there = self._present(split, listed)
        sources = [Source(name, (file,), partial(_read_text, file)) for name, file in there.items()]
        cache = cache_together(f"ModelNet40 {split}", sources, self._cache_file(split))
        return [Entry(name, cache, label=classes.index(_class_of(name))) for name in there]

    def _hdf5_entries(self, split: str) -> list[Entry]:
        listed = {line: self.folder / PurePosixPath(line).name for line in self._read_list(split)}
        files = list(self._present(split, listed).values())
        cache = self._cache_file(split)
        what = f"ModelNet40 {split}"
        ensure_cache(cache, files, lambda: _read_all_hdf5(track(files, f"reading {what}")))
        report(what, read_counts(cache))
        return [
            Entry(f"{file.stem}_{row:04d}", cache, label=label)
            for file in files
            for row, label in enumerate(_labels(file))
        ]

    def _read_list(self, split: str) -> list[str]:
        return read_names(self.folder / LISTS[self.source].format(split))

    def _present(self, split: str, listed: dict[str, Path]) -> dict[str, Path]:
        """The listed files that exist: all or, if allowed, some."""
        there = {name: file for name, file in listed.items() if file.is_file()}
        if len(there) == len(listed):
            return there
        of_all = f"{len(there):,} of the {counted(len(listed), 'file')} of the {split} list"
        if not self.allow_partial or not there:
            absent = next(file.name for name, file in listed.items() if name not in there)
            hint = "" if self.allow_partial else "; set data.allow_partial=true to use what is there"
            raise UserError(f"{self.folder}: expected a whole copy, got {of_all} (no {absent}){hint}")
        logging.getLogger(__name__).warning("ModelNet40 %s: a partial copy, %s", split, of_all)
        return there

    def _cache_file(self, split: str) -> Path:
        return cache_folder(self.root, self.cache_dir) / f"modelnet40_{self.source}_{split}.h5"


def _classes(folder: Path) -> list[str]:
    return read_names(folder / "modelnet40_shape_names.txt")


def _class_of(name: str) -> str:
    return name.rsplit("_", 1)[0]


def _read_text(file: Path) -> Cleaned:
    values = read_values(file, 6)
    return clean(str(file), values[:, :3], values[:, 3:])


def _read_all_hdf5(files: Iterable[Path]) -> Iterator[tuple[str, Cleaned]]:
    for file in files:
        with _open(file) as store:
            pos, normal = store["data"][()], store["normal"][()]
        for row in range(len(pos)):
            name = f"{file.stem}_{row:04d}"
            yield name, clean(f"{file}, cloud {row}", pos[row], normal[row])


def _labels(file: Path) -> list[int]:
    with _open(file) as store:
        labels = store["label"][()].reshape(-1).tolist()
    if wrong := [label for label in labels if label % 1 != 0]:  # NaN and infinity, too
        raise UserError(f"{file}: expected integers as label, got {wrong[0]:g}")
    return [int(label) for label in labels]


def _open(file: Path) -> "h5py.File":
    """The open file, its datasets checked."""
    with needed_for("datasets"):
        import h5py
    try:
        store = h5py.File(file, "r", locking=False)
    except OSError as error:
        raise UserError(f"{file}: expected an HDF5 file, got: {error}") from error
    shapes = {key: getattr(store.get(key), "shape", None) for key in ("data", "normal", "label")}
    count = (shapes["data"] or (0,))[0]
    right = shapes["data"] is not None and len(shapes["data"]) == 3 and shapes["data"][2] == 3
    if not right or shapes["normal"] != shapes["data"] or shapes["label"] not in ((count, 1), (count,)):
        store.close()
        raise UserError(f"{file}: expected data and normal (B, N, 3) and label (B, 1), got {shapes}")
    types = {key: store[key].dtype for key in shapes}
    if other := [key for key, dtype in types.items() if dtype.kind not in "fiu"]:
        store.close()
        raise UserError(f"{file}: expected numbers as {other[0]}, got {types[other[0]]}")
    return store
