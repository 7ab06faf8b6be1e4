"""Text files of datasets: a fixed number of columns, row numbers, or names."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.files import read_bytes
from tensorframes.data.io.layout import decode, find_layout
from tensorframes.data.io.values import read_numbers
from tensorframes.errors import UserError


def read_values(path: Path, columns: int, expected: str = "points") -> NDArray[np.float64]:
    """The (N, columns) numbers of a text file. ``expected``: what they are, for the error of an empty file.

    Raises:
        UserError: the file cannot be read, or a line has other fields; the message names the file and the line.
    """
    lines = decode(path, read_bytes(path, expected)).lines
    layout = find_layout(path, lines)
    values = read_numbers(path, lines, layout)
    if values.shape[1] != columns:
        raise UserError(f"{path}, line {layout.start + 1}: expected {columns} columns, got {values.shape[1]}")
    return values


def read_rows(path: Path) -> NDArray[np.int64]:
    """The (N,) row numbers of a text file with one integer per line.

    Raises:
        UserError: as read_values, or a number is not whole.
    """
    values = read_values(path, 1, "row numbers")[:, 0]
    whole = np.abs(values) < 2**53  # of which float64 holds every one
    whole[whole] = values[whole] % 1 == 0
    if not whole.all():
        raise UserError(f"{path}: expected whole row numbers, got {values[~whole][0]:g}")
    return values.astype(np.int64)


def read_names(path: Path) -> list[str]:
    """The names in a list of one per line, without blank lines and repetitions.

    Raises:
        UserError: there is no such file, or no name in it.
    """
    names = [line.strip() for line in decode(path, read_bytes(path, "names, one a line")).lines]
    return list(dict.fromkeys(name for name in names if name))
