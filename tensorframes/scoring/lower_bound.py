"""Oracle bounds: the errors, in axis and in sign, of the Bayes estimators that are given the clean surface."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorframes.scoring.metrics import Floats, angles, as_rows, check_predictions, check_truth

REACH = 4.2  # standard deviations; noise moves less than 1 point in 1,000 farther
STARTS = 12  # normals sampled from the posterior as starting points
SEARCHED = 3  # starting points, of these and the principal axis, that are refined
STEPS, STEP = 12, 0.8  # of gradient descent
DIRECTIONS = 64  # normals sampled from the posterior as directions, and as many sums of two of them


def oracle_lower_bound(
    observed: ArrayLike,
    truth: ArrayLike,
    surface: ArrayLike,
    normals: ArrayLike,
    sigma: float,
    most: int = 2500,
    seed: int = 0,
) -> Floats:
    r"""Angles (M,) in degrees between true normals and the optimal unoriented estimates given the clean surface.

    A point, uniformly distributed on a surface, is moved by isotropic Gaussian noise to x. Given the surface, its
    original position y has the posterior :math:`p(y | x) \propto \exp(-|x - y|^2 / 2 \sigma^2)`; the other points
    carry no information, because their noise is independent. The estimate

    .. math:: n^* = \arg\min_n \int p(y | x)\, \angle(n, n_y)^2 \, dy

    minimises the expected squared angle (the Bayes estimator of this loss). It bounds the RMSE of any method over many
    points from below; methods are not given the surface, so that theirs is higher. The minimum is searched by gradient
    descent on the sphere, from the principal axis of the normals and from some of them.

    Args:
        observed: (M, 3) noisy points. truth: (M, 3) their normals before the noise.
        surface: (P, 3) points spread evenly over the clean surface, much denser than sigma, without the M points.
        normals: (P, 3) of the surface there. sigma: standard deviation of the noise in each coordinate, in the unit of
            the points, > 0.
        most: upper limit of the points y of one estimate; of more, as many are sampled. seed: of the samples.

    Raises:
        ValueError: a shape is wrong, or sigma or most is not positive.
    """
    rng, true, best = np.random.default_rng(seed), as_rows(truth, "true normals"), []
    for near, weight in _posteriors(observed, true, surface, normals, sigma, most, rng):
        best.append(_best_axis(near, weight, rng))
    return angles(np.reshape(best, (-1, 3)), true)


def oracle_signs(
    observed: ArrayLike,
    truth: ArrayLike,
    surface: ArrayLike,
    normals: ArrayLike,
    sigma: float,
    most: int = 2500,
    seed: int = 0,
) -> NDArray[np.bool_]:
    r"""Whether the optimal oriented estimates given the clean surface are on the side of the true normals, (M,).

    With the posterior of :func:`oracle_lower_bound`, the direction

    .. math:: v^* = \arg\max_v \int p(y | x)\, [\, v \cdot n_y > 0 \,] \, dy

    is most probably on the side of the true normal. The share of points where it is bounds the share of correct signs
    of any method over many points from above: where a wall is thinner than the noise, points of both its sides are at
    the same places. The maximum is searched among the mean of the normals, the principal axis with both signs, normals
    that are sampled from the posterior, and sums of two of them.

    Arguments and errors are those of :func:`oracle_lower_bound`.
    """
    rng, true, best = np.random.default_rng(seed), as_rows(truth, "true normals"), []
    for near, weight in _posteriors(observed, true, surface, normals, sigma, most, rng):
        best.append(_best_direction(near, weight, rng))
    right: NDArray[np.bool_] = (np.reshape(best, (-1, 3)) * true).sum(1) > 0
    return right


def _posteriors(
    observed: ArrayLike,
    truth: Floats,
    surface: ArrayLike,
    normals: ArrayLike,
    sigma: float,
    most: int,
    rng: np.random.Generator,
) -> Iterator[tuple[Floats, Floats]]:
    """For each observed point the unit normals (K, 3) of the surface near it, and their posterior (K,), whose sum is 1;
    arguments as in :func:`oracle_lower_bound`."""
    from scipy.spatial import cKDTree

    points, noisy = as_rows(surface, "points of the surface"), as_rows(observed, "noisy points")
    if not sigma > 0 or most < 1:
        raise ValueError(f"expected sigma > 0 and most >= 1, got {sigma} and {most}")
    if len(points) == 0:
        raise ValueError("expected points of the surface, got none")
    for name, given, others in (("normals", normals, points), ("true normals", truth, noisy)):
        if (count := len(as_rows(given, name))) != len(others):
            raise ValueError(f"expected {len(others)} {name}, got {count}")
    candidates, tree = check_predictions(check_truth(normals)).normal, cKDTree(points)
    for x in noisy:
        near = np.asarray(tree.query_ball_point(x, REACH * sigma), dtype=np.int64)
        near = near if len(near) else np.atleast_1d(tree.query(x)[1])
        square = np.square(points[near] - x).sum(1)
        weight = np.exp((square.min() - square) / (2 * sigma * sigma))
        if len(near) > most:
            near, weight = rng.choice(near, most, p=weight / weight.sum()), np.ones(most)
        yield candidates[near], weight / weight.sum()


def _best_direction(normals: Floats, weight: Floats, rng: np.random.Generator) -> Floats:
    """The direction (3,) on whose side most of the normals (K, 3) are, by their weights (K,) that sum to 1."""
    principal = np.linalg.eigh((normals * weight[:, None]).T @ normals)[1][:, -1]
    drawn = normals[rng.choice(len(normals), (2, DIRECTIONS), p=weight)]
    directions = np.vstack([weight @ normals, principal, -principal, drawn[0], drawn.sum(0)])
    best: Floats = directions[((directions @ normals.T > 0) @ weight).argmax()]
    return best


def _best_axis(normals: Floats, weight: Floats, rng: np.random.Generator) -> Floats:
    """The axis (3,) of least mean squared angle to normals (K, 3) with weights (K,) that sum to 1."""
    principal = np.linalg.eigh((normals * weight[:, None]).T @ normals)[1][:, -1]
    starts = np.vstack([principal, normals[rng.choice(len(normals), STARTS, p=weight)]])
    order = np.argsort(_mean_square(starts, normals, weight), kind="stable")[:SEARCHED]
    axes = np.stack([_descended(axis, normals, weight) for axis in starts[order]])
    best: Floats = axes[_mean_square(axes, normals, weight).argmin()]
    return best


def _mean_square(axes: Floats, normals: Floats, weight: Floats) -> Floats:
    """Mean squared angles (A,) between axes (A, 3) and weighted normals (K, 3), in radians squared."""
    mean: Floats = np.square(np.arccos(np.abs(axes @ normals.T).clip(0, 1))) @ weight
    return mean


def _descended(axis: Floats, normals: Floats, weight: Floats) -> Floats:
    """The axis (3,) after STEPS steps of gradient descent of the mean squared angle: towards the mean, on the sphere,
    of the normals with the signs that are nearer to it."""
    for _ in range(STEPS):
        along = normals @ axis
        cosine = np.abs(along).clip(0, 1)
        sine = np.sqrt(1 - cosine * cosine)
        share = weight * np.where(sine > 1e-6, np.arccos(cosine) / np.where(sine > 1e-6, sine, 1), 1)
        toward = np.where(along < 0, -share, share)
        axis = axis + STEP * (toward @ normals - axis * (share @ cosine))
        axis = axis / np.linalg.norm(axis)
    return axis
