"""Whether expected errors are right: calibration and sparsification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import trapezoid
from scipy.spatial import cKDTree

from tensorframes.errors import UserError
from tensorframes.scoring.metrics import Floats

BINS = 10
REMOVED = tuple(step / 20 for step in range(20))
"""Shares of the points that sparsification removes."""


def reliability(expected: ArrayLike, observed: ArrayLike, bins: int = BINS) -> list[dict[str, float]]:
    """Points in bins of as many each, by ascending expected error: the mean expected and observed error of each bin.

    Args:
        expected, observed: (N,) degrees. bins: at most N.

    Raises:
        ValueError: there are no points, or not as many of both.
    """
    predicted, true = _pair(expected, observed)
    order = np.argsort(predicted, kind="stable")
    parts = [rows for rows in np.array_split(order, bins) if len(rows)]
    return [
        {"expected": float(predicted[rows].mean()), "observed": float(true[rows].mean()), "points": len(rows)}
        for rows in parts
    ]


def calibration_error(table: Sequence[dict[str, float]]) -> float:
    """The expected calibration error of a ``reliability`` table, degrees: the mean of |expected - observed| over its
    points (Naeini, Cooper, Hauskrecht, AAAI 2015)."""
    weights = [entry["points"] for entry in table]
    return float(np.average([abs(entry["expected"] - entry["observed"]) for entry in table], weights=weights))


def sparsification(uncertainty: ArrayLike, observed: ArrayLike) -> Floats:
    """The mean observed error of what is left when the most uncertain points are removed, for each share of REMOVED.

    (Ilg et al., ECCV 2018, section 4.) Equally uncertain points are removed in proportion.

    Args:
        uncertainty: (N,) any unit. observed: (N,) errors.
    """
    given, errors = _pair(uncertainty, observed)
    order = np.argsort(given, kind="stable")
    ordered = errors[order]
    first = np.concatenate([[0], np.flatnonzero(np.diff(given[order])) + 1])  # of each value
    count = np.diff(np.append(first, len(ordered)))
    ordered = np.repeat(np.add.reduceat(ordered, first) / count, count)
    kept = [max(1, round((1 - share) * len(ordered))) for share in REMOVED]
    return ordered.cumsum()[np.array(kept) - 1] / kept


def area(curve: Floats, oracle: Floats) -> float:
    """The area between a sparsification curve and the oracle's (AUSE), over the mean error of all points."""
    if oracle[0] <= 0:
        return 0.0
    return float(trapezoid(curve - oracle, REMOVED) / oracle[0])


def surface_variation(points: NDArray, rows: NDArray[np.int64], k: int = 18) -> Floats:
    """(M,) the smallest eigenvalue of the covariance of the k nearest points over their sum, of rows (M,): a
    measure of the uncertainty of PCA (Pauly, Gross, Kobbelt 2002)."""
    pos = np.asarray(points, dtype=np.float64)
    near = pos[cKDTree(pos).query(pos[rows], k=min(k, len(pos)))[1].reshape(len(rows), min(k, len(pos)))]
    centred = near - near.mean(1, keepdims=True)
    values = np.linalg.eigvalsh(np.swapaxes(centred, 1, 2) @ centred)
    total = values.sum(-1)
    return values[:, 0].clip(0) / np.where(total > 0, total, 1)


def confidence_scores(clouds: Sequence[tuple[Floats, Floats, Floats]]) -> dict[str, Any]:
    """The scores of expected errors on some clouds.

    Args:
        clouds: of each the expected and the observed errors (M,), degrees, and PCA's ``surface_variation`` (M,).

    Returns:
        "expected", "observed" (degrees, mean over the points of all clouds), "reliability", "calibration_error";
        "removed", and under "sparsification" the mean curves over clouds that order points by "expected" error, by
        "surface_variation" and by the "oracle"; under "area" the mean AUSE of the first two.

    Raises:
        UserError: there are no clouds.
    """
    if not clouds:
        raise UserError("expected at least one cloud to score expected errors on, got none")
    expected, observed = (np.concatenate([cloud[place] for cloud in clouds]) for place in (0, 1))
    table = reliability(expected, observed)
    curves: dict[str, list[Floats]] = {
        "expected": [sparsification(cloud[0], cloud[1]) for cloud in clouds],
        "surface_variation": [sparsification(cloud[2], cloud[1]) for cloud in clouds],
        "oracle": [sparsification(cloud[1], cloud[1]) for cloud in clouds],
    }
    areas = {
        name: float(np.mean([area(*both) for both in zip(curves[name], curves["oracle"], strict=True)]))
        for name in ("expected", "surface_variation")
    }
    return {
        "expected": float(expected.mean()),
        "observed": float(observed.mean()),
        "reliability": table,
        "calibration_error": calibration_error(table),
        "removed": list(REMOVED),
        "sparsification": {name: np.mean(each, axis=0).tolist() for name, each in curves.items()},
        "area": areas,
    }


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    one, other = (np.asarray(each, dtype=np.float64) for each in (first, second))
    if one.ndim != 1 or one.shape != other.shape or len(one) == 0:
        raise ValueError(f"expected two arrays (N,) of as many numbers, N >= 1, got {one.shape} and {other.shape}")
    return one, other
