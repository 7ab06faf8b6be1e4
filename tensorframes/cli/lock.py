"""One run per folder: a lock of the operating system, which is released when its process ends."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from tensorframes.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FILE = ".lock"
HELD = (errno.EACCES, errno.EAGAIN)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """A context in which no other process trains into ``folder``.

    The lock is one of POSIX's, on a file that stays: forked processes do not have it, so that a run continues at once
    after its process was killed, even while those of its loader still live. File systems without locks have no effect.

    Raises:
        UserError: another process trains into it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        with _locked_by_library(folder):  # type: ignore[unreachable]
            yield
        return
    with (folder / FILE).open("a+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in HELD:
                file.seek(0)
                raise _taken(folder, file.read(100).decode(errors="replace")) from None
        file.truncate(0)
        file.write(_holder().encode())
        file.flush()
        yield


def is_of_another(folder: Path) -> bool:
    """Whether the lock of a folder is, or was last, that of another process."""
    file = folder / FILE
    return file.is_file() and (fcntl is None or file.read_text(errors="replace") != _holder())


def _holder() -> str:
    return f"process {os.getpid()} on {os.uname().nodename}"


@contextlib.contextmanager
def _locked_by_library(folder: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / FILE, timeout=0):
            yield
    except Timeout:
        raise _taken(folder, "another process") from None


def _taken(folder: Path, holder: str) -> UserError:
    return UserError(f"expected a folder that no other run trains into, got {folder}, where {holder or 'one'} does")
