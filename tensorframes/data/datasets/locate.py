"""Location of a dataset's files: in a folder, in a local archive, or to be downloaded."""

import logging
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

from tensorframes.data.datasets.archives import STAGING, unpack
from tensorframes.data.datasets.download import fetch
from tensorframes.errors import UserError, needed_for

LOCK = ".download.lock"


@dataclass(frozen=True)
class Layout:
    """The layout of a dataset's folder.

    Args:
        title: the dataset's name.
        expected: its files in words, for errors.
        holds: whether a folder has these files (enough of them to identify the dataset).
    """

    title: str
    expected: str
    holds: Callable[[Path], bool]


@dataclass(frozen=True)
class Origin:
    """The sources of a dataset.

    Args:
        archive: a local ZIP file, or None.
        sources: addresses of the archive, tried in order.
        sha256: the archive's checksum, if known.
        size: its size in bytes, if known.
    """

    archive: Path | None
    sources: tuple[str, ...]
    sha256: str | None = None
    size: int | None = None


def locate(root: Path, layout: Layout, origin: Origin) -> Path:
    """The folder with the layout: root, or a folder in it; unpacked or downloaded first if it is absent.

    A downloaded archive is removed once it is unpacked; one that existed before is not. Concurrent processes download
    once.

    Raises:
        UserError: one line with the sources, the expected layout and the options to set.
    """
    folder = _find(root, layout)
    if folder is not None:
        return folder
    if origin.archive is None and (others := _others(root)):
        raise UserError(
            f"{root}: expected {layout.title} ({layout.expected}), got {', '.join(others[:3])}, ...; set data.root to "
            "the folder that holds it, or to a new folder to download it, or data.archive to its ZIP file"
        )
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        root.mkdir(parents=True, exist_ok=True)
        _obtain_once(root, layout, origin)
    except UserError:
        _remove_empty(made)
        raise
    except OSError as error:
        raise UserError(f"{root}: can't be written ({error.strerror or error}); set data.root") from error
    folder = _find(root, layout)
    if folder is None:
        raise UserError(f"{root}: expected {layout.title} ({layout.expected}) after unpacking, got other files")
    return folder


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove folders, each of which is in the next, up to one with files other than a lock."""
    for folder in folders:
        try:
            if [path.name for path in folder.iterdir()] == [LOCK]:
                (folder / LOCK).unlink()
            folder.rmdir()
        except FileNotFoundError:  # another process has removed it
            continue
        except OSError:
            return


def find_folder(folder: Path, holds: Callable[[Path], bool]) -> Path | None:
    """The first of the folder itself and its sub-folders, by name, for which `holds` is true."""
    if not folder.is_dir():
        return None
    inner = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))
    return next((path for path in (folder, *inner) if holds(path)), None)


def _find(root: Path, layout: Layout) -> Path | None:
    return None if (root / STAGING).exists() else find_folder(root, layout.holds)


def _others(root: Path) -> list[str]:
    if not root.is_dir():
        if root.exists():
            raise UserError(f"{root}: expected a folder, got a file; set data.root")
        return []
    if (root / STAGING).exists():
        return []
    # Files of an unfinished download are ignored.
    of_download = (".part", ".part.json", ".zip")
    return sorted(
        path.name for path in root.iterdir() if not path.name.startswith(".") and not path.name.endswith(of_download)
    )


def _obtain_once(root: Path, layout: Layout, origin: Origin) -> None:
    """Unpack or download, unless another process has done so meanwhile."""
    with needed_for("datasets"):
        from filelock import FileLock
    try:
        with FileLock(root / LOCK):
            if _find(root, layout) is None:
                _obtain(root, layout, origin)
    except FileNotFoundError as error:
        if root.exists():
            raise
        raise UserError(f"{root}: expected {layout.title}, which another process could not obtain") from error


def _obtain(root: Path, layout: Layout, origin: Origin) -> None:
    def holds(folder: Path) -> bool:
        return find_folder(folder, layout.holds) is not None

    log = logging.getLogger(__name__)
    if origin.archive is not None:
        log.info("unpacking %s into %s", origin.archive, root)
        unpack(origin.archive, root, holds)
        return
    log.info("%s is not in %s: downloading it", layout.title, root)
    name = origin.sources[0].rsplit("/", 1)[-1] if origin.sources else f"{layout.title}.zip"
    file = root / name
    existed = file.exists()
    try:
        fetch(origin.sources, file, origin.sha256, origin.size)
    except UserError as error:
        raise UserError(
            f"{layout.title} is not in {root}, and could not be downloaded: {error}. Expected there: "
            f"{layout.expected}. Set data.root to the folder that holds it, data.archive to its ZIP file, or "
            "data.sources to other addresses"
        ) from error
    try:
        unpack(file, root, holds)
    except UserError as error:
        # Otherwise a corrupt download would fail again at each attempt.
        if isinstance(error.__cause__, BadZipFile | zlib.error) and not existed:
            file.unlink()
        raise
    if not existed:
        file.unlink()
