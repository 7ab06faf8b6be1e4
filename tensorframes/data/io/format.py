"""The interface of file formats."""

from pathlib import Path
from typing import BinaryIO, NoReturn, Protocol

from tensorframes.data.io.columns import Columns


class Format(Protocol):
    """A file format."""

    @property
    def name(self) -> str:
        """Its name in messages."""
        ...

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Suffixes of its files, in lower case."""
        ...

    @property
    def refusal(self) -> str:
        """Why no file of this format is written; empty if it is."""
        ...

    def read(self, path: Path, content: bytes) -> Columns:
        """The points of a file's content; `path` is for error messages.

        Raises:
            ValueError: the content is of another format, corrupt or truncated; with the path (UserError) or without.
        """
        ...

    def unkept(self, columns: Columns) -> tuple[str, ...]:
        """Names of the columns that this format cannot represent without loss; they are left out.

        Raises:
            ValueError: the positions cannot be represented.
        """
        ...

    def write(self, file: BinaryIO, columns: Columns, suffix: str) -> None:
        """Writes all columns but those of `unkept`, with the other content of a file of this format that was read.

        Args:
            file: writable and, for LAS, seekable.
            columns: without those of `unkept`.
            suffix: the suffix of the target, one of `suffixes`.
        """
        ...


class ReadOnly:
    """A format of which no files are written: it has no place for the normal of a point."""

    name: str
    suffixes: tuple[str, ...]
    refusal: str

    def unkept(self, columns: Columns) -> tuple[str, ...]:
        """Raises ValueError: nothing is written."""
        raise ValueError(self.refusal)

    def write(self, file: BinaryIO, columns: Columns, suffix: str) -> NoReturn:
        """Raises ValueError: nothing is written."""
        raise ValueError(self.refusal)
