"""What the tests of point files share: a few points, their normals, and what a user sees on the way through a file."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tensorframes.data.io import Columns, read_cloud, write_cloud


@pytest.fixture
def pos() -> np.ndarray:
    """(3, 3) coordinates that every type of floating-point number holds."""
    return np.array([[0.5, 1.5, 2.5], [1, 2, 3], [-4, 5, 6.25]])


@pytest.fixture
def unit() -> np.ndarray:
    """(3, 3) float32 unit normals, some of their numbers negative."""
    return np.array([[0, 0, -1], [0.6, 0.8, 0], [1, 0, 0]], dtype=np.float32)


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    """No library's warning reaches the user of a good file."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture
def through(tmp_path: Path, unit: np.ndarray) -> Callable[..., tuple[Columns, bytes]]:
    """A file's content and name in; its columns and the content of the file with normals out, which is read again."""

    def way(content: bytes | str, name: str, target: str = "") -> tuple[Columns, bytes]:
        source, out = tmp_path / name, tmp_path / (target or f"out{Path(name).suffix}")
        source.write_bytes(content.encode() if isinstance(content, str) else content)
        columns = read_cloud(source)
        write_cloud(out, columns.with_normals(unit[: len(columns.table)]))
        again = read_cloud(out)
        np.testing.assert_array_equal(again.pos, columns.pos)
        assert again.normal is not None
        np.testing.assert_array_equal(again.normal.astype(np.float32), unit[: len(columns.table)])
        return columns, out.read_bytes()

    return way
