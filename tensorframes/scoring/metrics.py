"""Angles between normals, and the metrics of PCPNet's protocol.

Guerrero, Kleiman, Ovsjanikov, Mitra: "PCPNet: Learning Local Shape Properties from Raw Point Clouds", 2018, section 5.
All values are float64; angles are in degrees.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
PGP_DEGREES = (5, 10, 15, 20, 25, 30)


class Checked(NamedTuple):
    """Normalised predictions: unit rows, or zero rows for "no normal"."""

    normal: Floats  # (N, 3)
    no_normal: NDArray[np.bool_]  # (N,) the prediction is zero
    not_finite: NDArray[np.bool_]  # (N,) the prediction is NaN or infinite; its row is set to zero


def as_rows(vectors: ArrayLike, what: str) -> Floats:
    """The array as (N, 3) float64. Raises ValueError, with its description `what`, if the shape differs."""
    rows = np.asarray(vectors, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != 3:
        raise ValueError(f"expected {what} of shape (N, 3), got {rows.shape}")
    return rows


def check_predictions(normal: ArrayLike) -> Checked:
    """Normalises predictions (N, 3) of any length; zero rows mean "no normal".

    Rows are divided by their largest entry first, so that lengths neither overflow nor underflow.
    """
    rows = as_rows(normal, "predicted normals")
    not_finite = np.asarray(~np.isfinite(rows).all(axis=1))
    rows = np.where(not_finite[:, None], 0.0, rows)
    largest = np.abs(rows).max(axis=1, initial=0.0)
    no_normal = np.asarray((largest == 0) & ~not_finite)
    rows = rows / np.where(largest > 0, largest, 1.0)[:, None]
    length = np.linalg.norm(rows, axis=1)
    return Checked(rows / np.where(length > 0, length, 1.0)[:, None], no_normal, not_finite)


def check_truth(normal: ArrayLike) -> Floats:
    """True normals (N, 3) as float64, of any length but zero; times powers of two that make their largest entries about
    1, so that lengths neither overflow nor underflow."""
    rows = as_rows(normal, "true normals")
    bad = ~(np.isfinite(rows).all(axis=1) & (rows != 0).any(axis=1))
    if bad.any():
        raise ValueError(f"expected true normals that are finite and not zero, got {bad.sum()} others of {len(rows)}")
    exponent = np.frexp(np.abs(rows).max(axis=1, initial=0.0))[1]
    scaled: Floats = np.ldexp(rows, -exponent[:, None])
    return scaled


def angles(normal: ArrayLike, truth: ArrayLike, oriented: bool = False) -> Floats:
    """Angle between each predicted and each true normal, (N,) degrees.

    Unoriented, in [0, 90]: ``arccos(clip(|n . m|, 0, 1))``, computed as ``atan2(|n x m|, |n . m|)``, the same angle.
    Near zero, arccos turns the rounding of the cosine into its square root (1e-8 radians in float64, and 0.02 degrees
    if the normals were normalised in float32); the cross product is small there itself and keeps all its digits, and
    a common factor in the lengths cancels. Oriented, in [0, 180]: ``atan2(|n x m|, n . m)``.

    Args:
        normal: (N, 3) predictions of any length; a zero row ("no normal") or one that is not finite counts as 90.
        truth: (N, 3) true normals, finite and not zero.
        oriented: n and -n differ.

    Raises:
        ValueError: the shapes differ, or a true normal is zero or not finite.
    """
    predicted, true = check_predictions(normal), check_truth(truth)
    if predicted.normal.shape != true.shape:
        raise ValueError(f"expected as many predictions as true normals ({len(true)}), got {len(predicted.normal)}")
    sine = np.linalg.norm(np.cross(predicted.normal, true), axis=1)
    cosine = np.einsum("ni,ni->n", predicted.normal, true)
    degrees = np.degrees(np.arctan2(sine, cosine if oriented else np.abs(cosine)))
    return np.where(predicted.no_normal | predicted.not_finite, 90.0, degrees)


def flipped(degrees: ArrayLike) -> Floats:
    """Oriented angles after a flip of the whole shape: 180 - a if more than half of the angles exceed 90 degrees.

    One sign is chosen for the whole shape. Rows without a normal stay at 90.
    """
    values = check_angles(degrees)
    return 180.0 - values if np.count_nonzero(values > 90) * 2 > len(values) else values


def rmse(degrees: ArrayLike) -> float:
    """sqrt(mean a^2) of the angles of one shape, degrees."""
    return float(np.sqrt(np.mean(np.square(check_angles(degrees)))))


def pgp(degrees: ArrayLike, below: tuple[int, ...] = PGP_DEGREES) -> dict[str, float]:
    """Proportion of good points: for each threshold, the share in [0, 1] of angles strictly below it."""
    values = check_angles(degrees)
    return {str(threshold): float(np.mean(values < threshold)) for threshold in below}


def check_angles(degrees: ArrayLike) -> Floats:
    """(N,) finite angles, at least one."""
    values = np.asarray(degrees, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise ValueError(f"expected a list of finite angles, at least one, got an array of shape {values.shape}")
    return values
