"""Atomic writing of files.

The content is written to a hidden file in the target's folder, flushed to the disk and renamed to the target. At any
moment, also after `kill -9`, a power cut or on a full disk, the target is either the complete old or the complete new
file.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows, where an open file can be neither removed nor replaced: no lock is needed
    fcntl = None  # type: ignore[assignment]

from tensorframes.errors import UserError

PREFIX, SUFFIX = ".tensorframes-", ".part"
"""Of the names of hidden files. The next writer in the folder removes those of killed processes."""


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """A file that replaces `path` when the block ends; if the block raises, `path` is unchanged.

    For a symbolic link its target is replaced. Permission bits and, if allowed, owner and group are those of the old
    file; hard links to it keep the old content. Special files (pipes, devices) are written directly, when the block
    ends.

    Args:
        path: the target; its folder must exist.

    Raises:
        OSError: the folder or the target is not writable, or the disk is full.
    """
    if is_special(Path(path)):
        buffer = BytesIO()
        yield buffer
        with open(path, "wb") as device:
            device.write(buffer.getbuffer())
        return
    with _new_file(Path(os.path.realpath(path))) as (_, file):
        yield file


@contextlib.contextmanager
def replacing_by_name(path: str | Path) -> Iterator[Path]:
    """As `replacing`, for libraries that open files by name: yields the name of the hidden file.

    It must be opened without a lock (HDF5: locking=False), and must not be removed.
    """
    with _new_file(Path(os.path.realpath(path))) as (part, _):
        yield part


def replace_text(path: str | Path, text: str) -> None:
    """Writes a text file (UTF-8) whole or not at all; see `replacing` for the errors."""
    with replacing(path) as file:
        file.write(text.encode())


def expect_replaceable(path: str | Path) -> None:
    """Checks, before a long computation, that `replacing` can write a file.

    A read-only folder is refused even if the existing file is writable: it could only be overwritten in place, and
    would be lost if that fails.

    Raises:
        UserError: it is a folder; its own does not exist; that or the file is not writable; its name is none.
    """
    path = Path(path)
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.stat(path)
        if not is_special(path):
            _expect_place(path, Path(os.path.realpath(path)))
    except (OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path}: can't be written: {getattr(error, 'strerror', None) or error}") from error


def _expect_place(path: Path, target: Path) -> None:
    if path.is_dir():
        raise UserError(f"{path}: expected a file to write, got a folder")
    if not target.parent.is_dir():
        raise UserError(f"{path}: expected a folder {target.parent}, got none")
    if target.exists() and not os.access(target, os.W_OK):
        raise UserError(f"{path}: can't be written: it is read-only")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise UserError(f"{path}: can't be written safely: its folder {target.parent} is read-only")


def is_special(path: Path) -> bool:
    """Whether `path` is neither a regular file nor a folder: a pipe, a terminal, /dev/null.

    /dev/stdout is special even if it is redirected to a regular file, which another program has open.
    """
    if path.is_absolute() and path.parts[1:2] in (("dev",), ("proc",)) and "shm" not in path.parts[2:3]:
        return path.exists()
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextlib.contextmanager
def _new_file(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """The name of the hidden file that becomes the target, and the open file."""
    if target.is_dir():
        raise IsADirectoryError(21, "Is a directory", str(target))
    _remove_leftovers(target.parent)
    part, file = _open_part(target)
    try:
        with file:
            yield part, file
            file.flush()
            _copy_permissions(target, file)
            os.fsync(file.fileno())
            if fcntl is None:
                file.close()  # type: ignore[unreachable]
            os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _flush_folder(target.parent)


def _open_part(target: Path) -> tuple[Path, BinaryIO]:
    """A new hidden file, locked while it is open."""
    # A private file is not readable to others before it has the old file's permissions.
    mode = 0o600 if target.exists() else 0o666
    while True:
        part = target.parent / f"{PREFIX}{secrets.token_hex(8)}{SUFFIX}"
        file = os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode), "w+b")
        with contextlib.suppress(OSError):  # file systems without locks
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink > 0:
            return part, file
        file.close()  # another process took it for a leftover before it was locked


def _remove_leftovers(folder: Path) -> None:
    for part in folder.glob(f"{PREFIX}*{SUFFIX}"):
        with contextlib.suppress(OSError), part.open("r+b") as file:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its writer lives
                part.unlink(missing_ok=True)


def _copy_permissions(target: Path, file: BinaryIO) -> None:
    try:
        old = target.stat()
    except FileNotFoundError:
        return
    if hasattr(os, "fchown"):
        with contextlib.suppress(OSError):
            os.fchown(file.fileno(), old.st_uid, old.st_gid)
        os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))


def _flush_folder(folder: Path) -> None:
    """Flushes the folder, so that the new name survives a power cut, if the system supports it."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
