"""What every kind of file offers."""

from pathlib import Path
from typing import BinaryIO, Protocol

from tensorframes.data.io.columns import Columns


class Format(Protocol):
    """One kind of file: how it is read and written."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Endings of its files' names, in small letters."""
        ...

    def read(self, path: Path, content: bytes) -> Columns:
        """The points in a file's content; `path` is for the errors.

        Raises:
            ValueError: the content is not of this kind, broken or cut off, with the path (UserError) or without.
        """
        ...

    def unkept(self, columns: Columns) -> tuple[str, ...]:
        """Names of the columns that a file of this kind can't hold without loss; they would be left out.

        Raises:
            ValueError: even the positions can't be held.
        """
        ...

    def write(self, file: BinaryIO, columns: Columns, suffix: str) -> None:
        """Writes what `unkept` leaves; what came from a file of this kind besides the numbers is put back.

        Args:
            file: can be written to and, by LAS, be moved about in.
            columns: without those of `unkept`.
            suffix: the ending of the target's name, one of `suffixes`.
        """
        ...
