"""The least error that noise leaves possible: that of an answer by someone who knows the surface."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tensorframes.scoring.metrics import Floats, angles, as_rows, check_predictions, check_truth

REACH = 4.2  # standard deviations; less than 1 point in 1,000 was moved farther
STARTS = 12  # normals drawn from those possible, of which the best begin the search
SEARCHED = 3  # of these and the principal axis
STEPS, STEP = 12, 0.8


def least_errors(
    observed: ArrayLike,
    truth: ArrayLike,
    surface: ArrayLike,
    normals: ArrayLike,
    sigma: float,
    most: int = 2500,
    seed: int = 0,
) -> Floats:
    r"""Angles (M,) in degrees between true normals and the best unoriented answers that can be given.

    A point drawn evenly from a surface was moved by isotropic Gaussian noise and is seen at x. Who knows the surface
    and the noise knows that it was at y with probability :math:`p(y | x) \propto \exp(-|x - y|^2 / 2 \sigma^2)`, and
    nothing more: the other points were moved independently of it. The answer

    .. math:: n^* = \arg\min_n \int p(y | x)\, \angle(n, n_y)^2 \, dy

    has the least expected squared angle (the Bayes estimator for that loss). No method's RMSE over many points is
    lower but by chance; methods do not know the surface, so theirs is higher. The minimum is looked for from the
    principal axis of the normals and from some of them, by steps along the mean of their logarithms.

    Args:
        observed: (M, 3) noisy points. truth: (M, 3) their normals before the noise.
        surface: (P, 3) points that fill the clean surface evenly, far closer than sigma, the M points not among them.
        normals: (P, 3) of the surface there. sigma: of the noise in each coordinate, above 0, in the points' unit.
        most: possible points are drawn where there are more. seed: of these draws.

    Raises:
        ValueError: shapes that are not as above; sigma, most not above 0.
    """
    from scipy.spatial import cKDTree

    points, seen = as_rows(surface, "points of the surface"), as_rows(observed, "noisy points")
    if not sigma > 0 or most < 1:
        raise ValueError(f"expected sigma > 0 and most >= 1, got {sigma} and {most}")
    if len(points) == 0:
        raise ValueError("expected points of the surface, got none")
    for name, given, others in (("normals", normals, points), ("true normals", truth, seen)):
        if len(given := as_rows(given, name)) != len(others):
            raise ValueError(f"expected {len(others)} {name}, got {len(given)}")
    possible, rng = check_predictions(check_truth(normals)).normal, np.random.default_rng(seed)
    tree, best = cKDTree(points), np.zeros_like(seen)
    for row, x in enumerate(seen):
        near = np.asarray(tree.query_ball_point(x, REACH * sigma), dtype=np.int64)
        near = near if len(near) else np.atleast_1d(tree.query(x)[1])
        square = np.square(points[near] - x).sum(1)
        weight = np.exp((square.min() - square) / (2 * sigma * sigma))
        if len(near) > most:
            near, weight = rng.choice(near, most, p=weight / weight.sum()), np.ones(most)
        best[row] = _best_axis(possible[near], weight / weight.sum(), rng)
    return angles(best, truth)


def _best_axis(normals: Floats, weight: Floats, rng: np.random.Generator) -> Floats:
    """(3,) the axis of least mean squared angle to normals (K, 3) with weights (K,) that sum to 1."""
    principal = np.linalg.eigh((normals * weight[:, None]).T @ normals)[1][:, -1]
    starts = np.vstack([principal, normals[rng.choice(len(normals), STARTS, p=weight)]])
    order = np.argsort(_mean_square(starts, normals, weight), kind="stable")[:SEARCHED]
    found = np.stack([_descended(axis, normals, weight) for axis in starts[order]])
    best: Floats = found[_mean_square(found, normals, weight).argmin()]
    return best


def _mean_square(axes: Floats, normals: Floats, weight: Floats) -> Floats:
    """(A,) mean squared angles, in radians squared."""
    mean: Floats = np.square(np.arccos(np.abs(axes @ normals.T).clip(0, 1))) @ weight
    return mean


def _descended(axis: Floats, normals: Floats, weight: Floats) -> Floats:
    """The axis after some steps towards the mean of the normals on the sphere, each taken with the sign that is near:
    the gradient of the mean squared angle."""
    for _ in range(STEPS):
        along = normals @ axis
        cosine = np.abs(along).clip(0, 1)
        sine = np.sqrt(1 - cosine * cosine)
        share = weight * np.where(sine > 1e-6, np.arccos(cosine) / np.where(sine > 1e-6, sine, 1), 1)
        toward = np.where(along < 0, -share, share)
        axis = axis + STEP * (toward @ normals - axis * (share @ cosine))
        axis = axis / np.linalg.norm(axis)
    return axis
