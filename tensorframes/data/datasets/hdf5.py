"""HDF5 files, written whole or not at all.

HDF5 does not survive a full disk: its objects stay open, and the process ends with a crash. It therefore never sees
one here; the error is raised after it has closed the file.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tensorframes.atomic import replacing
from tensorframes.errors import needed_for

if TYPE_CHECKING:
    import h5py


@contextmanager
def new_hdf5(path: Path, purpose: str, **options: str) -> "Iterator[h5py.File]":
    """An HDF5 file that replaces ``path`` when the block ends; if the block raises, ``path`` is unchanged.

    Args:
        path: the file. purpose: of the library, for errors. options: of ``h5py.File``.

    Raises:
        OSError: it can't be written, as on a full disk.
    """
    with needed_for(purpose):
        import h5py
    with replacing(path) as file:
        stream = _Stream(file)
        try:
            with h5py.File(stream, "w", **options) as store:
                yield store
        finally:
            if stream.error is not None:
                raise stream.error


class _Stream(io.RawIOBase):
    """A file that notes its first error, and from then on takes what is written without writing it."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self.file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        self._attempt(lambda: self.file.write(data))
        return len(data)

    def readinto(self, buffer: Any) -> int:
        return self._attempt(lambda: self.file.readinto(buffer)) or 0  # type: ignore[attr-defined]

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._attempt(lambda: self.file.seek(offset, whence)) or 0

    def tell(self) -> int:
        return self._attempt(self.file.tell) or 0

    def truncate(self, size: int | None = None) -> int:
        return self._attempt(lambda: self.file.truncate(size)) or 0

    def flush(self) -> None:
        self._attempt(self.file.flush)

    def _attempt(self, operation: Any) -> Any:
        if self.error is not None:
            return None
        try:
            return operation()
        except OSError as error:
            self.error = error
            return None
