"""Methods: anything that computes normals of points, learned or classical."""

import time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tensorframes.data import Cloud
from tensorframes.errors import UserError
from tensorframes.scoring.metrics import Floats, as_rows


class Method(Protocol):
    """A normal estimator, as scoring uses it."""

    @property
    def name(self) -> str:
        """Its name in tables."""

    @property
    def oriented(self) -> bool:
        """Whether the signs of its normals carry information."""

    @property
    def equivariant(self) -> bool:
        """Whether its normals are exactly O(3)-equivariant, up to rounding."""

    def __call__(self, points: NDArray, rows: NDArray | None = None) -> NDArray:
        """Normals (M, 3) of the rows (M,) of points (N, 3), in their order; of all points if ``rows`` is None.

        Rows may repeat. Normals are unit vectors, or zero where there is none.
        """


def normals_at(method: Method, points: NDArray, rows: NDArray | None) -> Floats:
    """The method's normals (M, 3) at ``rows`` (M,) of ``points`` (N, 3), at all points if None.

    Raises:
        ValueError: the method does not return exactly M rows.
    """
    normal = as_rows(method(points, rows), f"normals from {method.name}")
    count = len(points) if rows is None else len(rows)
    if len(normal) != count:
        raise ValueError(f"expected {count} normals from {method.name}, one for each row asked for, got {len(normal)}")
    return normal


def timed_normals(method: Method, cloud: Cloud) -> tuple[Floats, float]:
    """The method's normals (M, 3) at the cloud's ``eval_index``, from all points, and the seconds this takes."""
    start = time.perf_counter()
    normal = normals_at(method, cloud.pos, cloud.eval_index)
    return normal, time.perf_counter() - start


def truth_of(cloud: Cloud) -> NDArray[np.float32]:
    """The true normals of a cloud (N, 3), zero at unlabelled points.

    Raises:
        UserError: the cloud has no normals, or none at the rows of ``eval_index``.
    """
    if cloud.normal is None or not cloud.labelled.any():
        raise UserError(f"expected a cloud with normals to score against, got {cloud.name!r} without")
    if len(cloud.eval_index) == 0:
        raise UserError(f"expected at least one row to score in {cloud.name!r} that has a normal, got none")
    return cloud.normal
