"""Some points of a large cloud, the same whatever its pose and the order of its points."""

import numpy as np
from numpy.typing import NDArray


def thinned_rows(pos: NDArray, most: int) -> NDArray[np.int64]:
    """Rows of at most ``most`` points (N, d): all, or evenly in the order of their distance from the mean.

    Neither pose nor order of the points changes them, except where distances are equal.
    """
    if len(pos) <= most:
        return np.arange(len(pos))
    square = np.zeros(len(pos))
    for column in pos.T:  # one axis after the other: a difference of all of them would need three times the memory
        square += (column - column.mean()) ** 2
    order = np.argsort(square, kind="stable")
    rows: NDArray[np.int64] = order[np.linspace(0, len(order) - 1, most).astype(np.int64)]
    return rows
