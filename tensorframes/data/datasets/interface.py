"""The interface of datasets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from tensorframes.data.cloud import Cloud


class DataSet(Protocol):
    """The splits of a dataset, each a sequence that reads a cloud when it is accessed."""

    @property
    def train(self) -> Sequence[Cloud]:
        """The training clouds."""

    @property
    def val(self) -> Sequence[Cloud]:
        """The validation clouds."""

    @property
    def test(self) -> Sequence[Cloud]:
        """The test clouds."""


@runtime_checkable
class Downloadable(Protocol):
    """A dataset whose files are downloaded if they are absent."""

    @property
    def folder(self) -> Path:
        """The folder of the files; the first use downloads or unpacks them."""
