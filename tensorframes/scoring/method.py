"""What is scored: anything that turns points into normals, learned or classical."""

import time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tensorframes.data import Cloud
from tensorframes.errors import UserError
from tensorframes.scoring.metrics import Floats, as_rows


class Method(Protocol):
    """A normal estimator as scoring sees it."""

    @property
    def name(self) -> str:
        """What tables call it."""

    @property
    def oriented(self) -> bool:
        """Whether it claims that the signs of its normals mean something."""

    def __call__(self, points: NDArray, rows: NDArray | None = None) -> NDArray:
        """Normals of the points (N, 3), or of the rows (M,) of them: unit, or zero where there is none.

        With `rows` given it may return the M rows asked for or all N.
        """


def normals_at(method: Method, points: NDArray, rows: NDArray | None) -> Floats:
    """The method's normals at `rows` (M,) of `points` (N, 3), all of them if None: (M, 3), whichever it returned.

    Raises:
        ValueError: if it returned neither M nor N rows.
    """
    if rows is None or len(rows) == len(points):  # M = N could not be told apart by its length
        normal = as_rows(method(points, None), f"normals from {method.name}")
        asked = slice(None) if rows is None else rows
    else:
        normal = as_rows(method(points, rows), f"normals from {method.name}")
        asked = slice(None) if len(normal) == len(rows) else rows
    if len(normal) not in (len(points), len(points) if rows is None else len(rows)):
        wanted = f"{len(points)}" if rows is None else f"{len(rows)} or {len(points)}"
        raise ValueError(f"expected {wanted} normals from {method.name}, got {len(normal)}")
    return normal[asked]


def timed_normals(method: Method, cloud: Cloud) -> tuple[Floats, float]:
    """The method's normals at the cloud's scored rows (M, 3), and the seconds it took for them; it is given all points,
    the unlabelled ones, too."""
    rows = cloud.scored_rows
    start = time.perf_counter()
    normal = normals_at(method, cloud.pos, rows)
    return normal, time.perf_counter() - start


def truth_of(cloud: Cloud) -> NDArray[np.float32]:
    """The cloud's normals, (N, 3), zero at unlabelled points, if it can be scored."""
    if cloud.normal is None or not cloud.labelled.any():
        raise UserError(f"expected a cloud with normals to score against, got {cloud.name!r} without")
    if len(cloud.scored_rows) == 0:
        raise UserError(f"expected at least one row to score in {cloud.name!r} that has a normal, got none")
    return cloud.normal
