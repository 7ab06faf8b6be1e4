"""A cache of parsed clouds: HDF5 files that several processes may build and read at once.

A cache file has one group per cloud with its arrays. It is rebuilt when the name, size or modification time of a source
file, or the format's version, changes. It is written whole or not at all (`tensorframes.atomic`), under a file lock: a
killed build leaves nothing that is read, and two processes build it once.
"""

import contextlib
import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tensorframes.data.datasets.cleaning import Cleaned, Counts, report
from tensorframes.data.datasets.hdf5 import new_hdf5
from tensorframes.errors import UserError, needed_for
from tensorframes.progress import track

if TYPE_CHECKING:
    import h5py

FORMAT_VERSION = 7
"""Increased whenever the readers, the cleaning rule or the stored arrays change."""

ARRAYS = ("pos", "normal", "eval_index")


@dataclass(frozen=True)
class Source:
    """One cloud of a dataset: its name, its files, and the function that reads and cleans them."""

    name: str
    files: tuple[Path, ...]
    read: Callable[[], Cleaned]


def cache_folder(root: Path, cache_dir: str | Path | None = None) -> Path:
    """Where the clouds under `root` are cached: below cache_dir in a folder named after root's path.

    By default that is the user's cache, $XDG_CACHE_HOME/tensorframes or ~/.cache/tensorframes: nothing is written into
    a folder of data.

    Raises:
        UserError: there is no such folder, as for a user without a home.
    """
    if cache_dir is None:
        try:
            base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        except RuntimeError as error:
            raise UserError("expected a home folder for the cache, got none; set data.cache_dir") from error
        cache_dir = Path(base) / "tensorframes"
    path = os.fsencode(root.resolve())
    return Path(cache_dir) / f"{root.resolve().name}-{hashlib.sha256(path).hexdigest()[:12]}"


def generated_folder(root: Path, cache_dir: str | Path | None = None) -> Path:
    """Where clouds that are generated for `root` are kept: in root, unless cache_dir is given or root is read-only."""
    if cache_dir is None and _may_write(root):
        return root / ".tensorframes_cache"
    return cache_folder(root, cache_dir)


def cache_each(what: str, sources: Sequence[Source], folder: Path) -> list[Path]:
    """Caches each cloud in a file of its own, which several lists may share, and reports the cleaning.

    Args:
        what: name of the split, for the report.
        sources: the clouds.
        folder: of the cache files.

    Returns:
        The cache files, in the order of the sources.

    Raises:
        UserError: a source can't be read, or the cache can't be written.
    """
    files = [_cache_one(source, folder) for source in track(sources, f"reading {what}")]
    report(what, [counts for file in files for counts in read_counts(file)])
    return files


def cache_together(what: str, sources: Sequence[Source], file: Path) -> Path:
    """Caches all clouds in one file and reports the cleaning; for datasets of thousands of small clouds."""
    paths = [path for source in sources for path in source.files]

    def build() -> Iterator[tuple[str, Cleaned]]:
        return ((source.name, source.read()) for source in track(sources, f"reading {what}"))

    ensure_cache(file, paths, build)
    report(what, read_counts(file))
    return file


def file_name(name: str) -> str:
    """File name of a cloud's cache: its name if every file system allows it, else its valid characters and a digest."""
    if re.fullmatch(r"[a-z0-9_][a-z0-9_.-]{0,99}", name):
        return f"{name}.h5"
    # The name may be a path, too long, or differ from another in case only.
    valid = re.sub(r"[^a-z0-9_-]", "_", name.lower())[:80]
    return f"{valid}-{hashlib.sha256(name.encode()).hexdigest()[:12]}.h5"


def ensure_cache(file: Path, sources: Sequence[Path], build: Callable[[], Iterable[tuple[str, Cleaned]]]) -> Path:
    """Builds the cache file if it is missing or outdated, and returns its path.

    Args:
        file: the cache file.
        sources: the files that it depends on.
        build: returns names and cleaned arrays of the clouds; called only if needed.

    Raises:
        UserError: the sources can't be read (from build), or the cache can't be written.
    """
    if _is_fresh(file, fingerprint(sources)):
        return file
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _locked(file):
            # The sources may have changed, and another process may have finished, while this one waited.
            print_now = fingerprint(sources)
            if not _is_fresh(file, print_now):
                _write(file, print_now, build())
    except OSError as error:
        reason = error.strerror or error
        raise UserError(
            f"{file}: the cache can't be written ({reason}); set data.cache_dir to another folder"
        ) from error
    return file


def fingerprint(sources: Iterable[Path]) -> str:
    """A digest of the format's version and of each source's name, size and modification time.

    Raises:
        UserError: a source is missing.
    """
    digest = hashlib.sha256(f"{FORMAT_VERSION}".encode())
    for source in sources:
        try:
            status = source.stat()
        except OSError as error:
            raise UserError(f"{source}: expected a readable file, got: {error.strerror}") from error
        digest.update(json.dumps([source.name, status.st_size, status.st_mtime_ns]).encode())
    return digest.hexdigest()


def read_cached(file: Path, name: str) -> dict[str, np.ndarray]:
    """The arrays of one cloud: pos and, where stored, normal and eval_index.

    The file is opened for each call (about a millisecond), so that data workers may be forked at any time.

    Raises:
        UserError: the file is gone, or is not the cache that was written.
    """
    try:
        with _opened(file) as store:
            return {key: array[()] for key, array in store["clouds"][_key(name)].items()}
    except (OSError, KeyError) as error:
        reason = "it is gone" if not file.exists() else " ".join(str(error).split())
        raise UserError(f"{file}: expected the cloud {name}, which was cached before, got none ({reason})") from error


def eval_count(file: Path, name: str) -> int | None:
    """Length of one cloud's evaluation index, None where all rows are scored; nothing else is read."""
    with _opened(file) as store:
        cloud = store["clouds"][_key(name)]
        return len(cloud["eval_index"]) if "eval_index" in cloud else None


def read_counts(file: Path) -> list[Counts]:
    """The counts of the cleaning rule, one per cloud, in the order of the build."""
    with _opened(file) as store:
        return [Counts(**counts) for counts in json.loads(store["counts"][()])]


def _opened(file: Path) -> "h5py.File":
    with needed_for("datasets"):
        import h5py
    return h5py.File(file, "r", locking=False)


def _cache_one(source: Source, folder: Path) -> Path:
    return ensure_cache(folder / file_name(source.name), source.files, lambda: [(source.name, source.read())])


def _write(file: Path, mark: str, clouds: Iterable[tuple[str, Cleaned]]) -> None:
    with new_hdf5(file, "datasets", libver="latest") as store:
        group = store.create_group("clouds")
        counts = [_write_cloud(group, name, cleaned) for name, cleaned in clouds]
        store["counts"] = json.dumps(counts)
        store.attrs["fingerprint"] = mark


def _write_cloud(clouds: "h5py.Group", name: str, cleaned: Cleaned) -> dict[str, int]:
    group = clouds.create_group(_key(name))
    for key in ARRAYS:
        if (values := getattr(cleaned, key)) is not None:
            group[key] = values
    return asdict(cleaned.counts)


def _is_fresh(file: Path, mark: str) -> bool:
    try:
        with _opened(file) as store:
            return bool(store.attrs.get("fingerprint") == mark)
    except OSError:
        return False


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    with needed_for("datasets"):
        from filelock import FileLock, Timeout
    lock = FileLock(file.parent / ".lock")
    try:
        lock.acquire(timeout=1)
    except Timeout:
        logging.getLogger(__name__).info("waiting for another process that makes %s", file)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _key(name: str) -> str:
    # A slash would open a group within a group.
    return name.replace("%", "%25").replace("/", "%2F")


def _may_write(folder: Path) -> bool:
    # The mode's bits, too: an administrator may write anywhere, but should not into a read-only folder.
    return os.access(folder, os.W_OK) and bool(folder.stat().st_mode & 0o222)
