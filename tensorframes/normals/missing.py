"""Points without a normal, and why."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tensorframes.geometry.outliers import far_rows

NOT_FINITE, FAR, ON_LINE = "not finite", "far from all others", "on a line"
"""A coordinate is NaN or infinite; the row is one of ``far_rows``; all points lie on a line, or are one."""


def missing(points: NDArray, normals: NDArray) -> dict[str, int]:
    """The number of points (N, 3) whose normals (N, 3) are zero, by the reason; none if all have one."""
    without = ~normals.any(axis=1)
    if not without.any():
        return {}
    finite = np.isfinite(points).all(axis=1)
    far = np.zeros(len(points), dtype=bool)
    far[finite] = far_rows(points[finite])
    counts = {NOT_FINITE: ~finite, FAR: far, ON_LINE: finite & ~far}
    return {reason: int((rows & without).sum()) for reason, rows in counts.items()}
