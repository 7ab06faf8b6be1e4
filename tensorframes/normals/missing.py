"""Points without a normal, and why."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tensorframes.geometry.outliers import crowded_rows, far_rows

NOT_FINITE, FAR = "not finite", "far from all others"
CROWDED = "at a place that many points share, as missing returns do"
"""Rows that take no part: a coordinate is NaN or infinite; the row is one of ``far_rows``, or of ``crowded_rows``."""

ON_LINE, AT_ONE_PLACE = "on a line", "at one place"
"""All other points lie on a line; they coincide, or there is but one."""


def left_out(points: NDArray) -> dict[str, NDArray[np.bool_]]:
    """(N,) rows of the points (N, 3) that take no part, by the reason; each has one."""
    finite = np.isfinite(points).all(axis=1)
    rows, others = {NOT_FINITE: ~finite}, finite
    for reason, found in ((FAR, far_rows), (CROWDED, crowded_rows)):
        rows[reason] = np.zeros(len(points), dtype=bool)
        rows[reason][others] = found(points[others])
        others = others & ~rows[reason]
    return rows


def missing(points: NDArray, normals: NDArray) -> dict[str, int]:
    """The number of points (N, 3) whose normals (N, 3) are zero, by the reason; none if all have one."""
    without = ~normals.any(axis=1)
    if not without.any():
        return {}
    reasons = left_out(points)
    others = ~np.any([*reasons.values()], axis=0)
    alone = bool((points[others] == points[others][:1]).all())
    reasons |= {ON_LINE: others & (not alone), AT_ONE_PLACE: others & alone}
    return {reason: int((rows & without).sum()) for reason, rows in reasons.items()}
