"""The position of the sensor of a range scan, from the positions of the points alone.

A sensor sends its rays at about equal angles, whatever the distances of the surfaces, and sees one surface in each
direction. From its position v, the directions of the points are evenly spaced, and points in nearly the same direction
are near one another; from elsewhere, distant surfaces look denser, and points behind others lie between these. With the
distances r and unit directions d of the points from v, the angular distance h_i to the eighth neighbour in direction,
and the nearest neighbour j of i in direction,

    U(v) = the standard deviation of log h_i,
    L(v) = the share of points with |r_i - r_j| < STEEPEST |d_i - d_j| min(r_i, r_j),

v is where U + WEIGHT (1 - L) is least. Independent random directions have U = 0.18, half the root of the trigamma
function at eight; grids have less. Of most clouds that are no range scan, U is larger or L smaller; surfaces around or
across the view that are sampled evenly in space, such as a ball or a sheet, are told apart by ``Sensor.scanned``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from tensorframes.geometry.thinned import thinned_rows
from tensorframes.normals.missing import left_out
from tensorframes.normals.points import Points, as_array, number_rows

Floats = NDArray[np.float64]

NEIGHBOUR = 8
"""The neighbour in direction whose distance is h."""

STEEPEST = 5.0
"""Largest difference of distance of two neighbours on one surface, divided by their distance across the view."""

WEIGHT = 0.3
"""Of 1 - L in what is minimised."""

UNEVEN, LAYERS = 0.24, 0.85
"""Largest U and least L of a range scan."""

CLEAR, CLEAR_UNEVEN, CLEAR_LAYERS = 0.1, 0.35, 0.6
"""The same where U is smaller than the unevenness in space by CLEAR: lasers are at uneven angles in some scanners, and
many objects hide parts of each other."""

COARSE, FINE, FINEST = 1000, 4000, 16_000
"""Numbers of points that many positions are tried with, that the best are moved with, and that these are compared
with."""

FEWEST = 300
"""Number of points below which no sensor is searched."""

DISTANCES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""From the centre to the positions that are tried, in root mean square distances of the points."""

DIRECTIONS = np.array([each for each in product((-1.0, 0.0, 1.0), repeat=3) if any(each)])
"""Of these positions, in the principal axes."""

BEST, EVALUATIONS = 8, 80
"""Number of directions, each with its best position, from which positions are moved, beside the centre; and largest
number of evaluations for each."""

FINALISTS, APART = 4, 0.1
"""Number of the best of them that are moved further, with more points; and their least distance from each other, in
root mean square distances of the points."""

MARGIN = 0.03
"""Least difference of U that shows the points to be more even from one position than from another, or than in space."""

SURE = 0.2
"""The same where the points are around a position, as a closed object of uneven density is around its centre: there the
difference reaches 0.15; in terrestrial scans it is 0.5."""

AROUND = 0.8
"""Largest length of the mean unit direction to points around a position; points in a cone of 106 degrees have more."""

FAR = 1000.0
"""Distance at which rays are parallel, so that both sides look alike, in root mean square distances of the points."""

LINE = 1e-6
"""Ratio of the second to the largest singular value of positions, up to which they are a line."""


@dataclass(frozen=True)
class Sensor:
    """The position of a sensor.

    position: (3,).
    other: (3,) as even a position on the other side of the points, None if there is none. If these are flat or far
        away, both sides look alike.
    scanned: the points are more even in direction than in space: by MARGIN, or by SURE if they are around the position.
        Surfaces around it that are sampled evenly in space, such as a ball around its centre, are not, nor are closed
        objects of uneven density.
    """

    position: Floats
    other: Floats | None
    scanned: bool

    def signs_of(self, pos: Floats, normal: Floats) -> tuple[Floats, bool]:
        """Signs (N,) with which normals (N, 3) at points (N, 3) face the sensor, and whether its side is known: most
        of those that face the other position are the same."""
        sign = facing(normal, self.position - pos)
        return sign, self.other is None or float((sign * facing(normal, self.other - pos)).sum()) > 0


def sensor_position(points: Points) -> Floats | None:
    """The position (3,) of the sensor of a range scan whose rays are evenly spaced, from its points alone.

    ``orient_normals`` turns the normals of such scans towards it. Points that get no normal take no part.

    Args:
        points: (N, 3) numbers: an array, a tensor, or a point cloud of Open3D, trimesh or laspy.

    Returns:
        The position in the coordinates of the points. None if none is found, as for several scans in one cloud and
        scans after a voxel filter, or if the points are about as even in space, as those of closed shapes and sheets.

    Raises:
        ValueError: the points are not as above.
    """
    pos = number_rows(as_array(points), "points").astype(np.float64)
    pos = pos[~np.any([*left_out(pos).values()], axis=0)]
    largest = float(np.abs(pos).max(initial=0.0))
    if largest == 0:
        return None
    scaled = pos / largest  # no sum overflows
    centre = scaled.mean(0)
    distinct = np.unique(scaled - centre, axis=0)
    unit = float(np.abs(distinct).max())
    sensor = find_sensor(distinct / unit) if unit > 0 else None
    return None if sensor is None or not sensor.scanned else largest * (centre + unit * sensor.position)


def find_sensor(pos: Floats) -> Sensor | None:
    """The sensor of distinct points (N, 3); None if there is none."""
    if len(pos) < FEWEST or is_line(pos):
        return None
    finest = pos[thinned_rows(pos, FINEST)]
    fine = finest[thinned_rows(finest, FINE)]
    coarse = fine[thinned_rows(fine, COARSE)]
    centre, axes = fine.mean(0), principal_axes(fine)
    size = float(np.sqrt(((fine - centre) ** 2).sum(1).mean()))
    ways = DIRECTIONS / np.linalg.norm(DIRECTIONS, axis=1, keepdims=True) @ axes
    tried = centre + np.asarray(DISTANCES)[:, None, None] * size * ways
    values = np.apply_along_axis(lambda each: objective(coarse, each), 2, tried)
    promising = tried[values.argmin(0), np.arange(len(ways))][np.argsort(values.min(0), kind="stable")[:BEST]]
    found = [moved(coarse, centre, size / 10 * axes)]
    found += [moved(coarse, each, float(np.linalg.norm(each - centre)) / 4 * axes) for each in promising]
    found = apart(sorted(found, key=lambda each: objective(coarse, each)), APART * size)[:FINALISTS]
    found = [moved(fine, each, 0.03 * size * axes) for each in found]
    position = min(found, key=lambda each: objective(finest, each))
    uneven, _ = unevenness_and_layers(fine, position)
    layers = unevenness_and_layers(finest, position)[1]
    more_even = unevenness(cKDTree(fine).query(fine, NEIGHBOUR + 1)[0]) - uneven
    clear = more_even > CLEAR and uneven <= CLEAR_UNEVEN and layers >= CLEAR_LAYERS
    if not clear and (uneven > UNEVEN or layers < LAYERS):
        return None
    mirrored = position - 2 * ((position - centre) @ axes[2]) * axes[2]
    away = (centre - position) / max(float(np.linalg.norm(centre - position)), 1e-12)
    others = (moved(fine, mirrored, 0.03 * size * axes), centre + FAR * size * away)
    even, row = min((unevenness_and_layers(fine, other)[0], row) for row, other in enumerate(others))
    least = SURE if around(fine, position) else MARGIN
    return Sensor(position, others[row] if even - uneven <= MARGIN else None, more_even > least)


def apart(positions: list[Floats], distance: float) -> list[Floats]:
    """The positions (3,) that are as far from all earlier ones."""
    kept = list[Floats]()
    for position in positions:
        if all(np.linalg.norm(position - other) >= distance for other in kept):
            kept.append(position)
    return kept


def around(pos: Floats, position: Floats) -> bool:
    """Whether the points (N, 3) are around a position (3,)."""
    ray = pos - position
    mean = (ray / np.maximum(np.linalg.norm(ray, axis=1, keepdims=True), 1e-12)).mean(0)
    return float(np.linalg.norm(mean)) < AROUND


def facing(normal: Floats, ray: Floats) -> Floats:
    """Signs (N,) with which normals (N, 3) have no negative component along rays (N, 3) or (3,)."""
    return np.where((normal * ray).sum(1) < 0, -1.0, 1.0)


def unevenness_and_layers(pos: Floats, position: Floats) -> tuple[float, float]:
    """U and L of points (N, 3) from a position (3,)."""
    ray = pos - position
    distance = np.maximum(np.linalg.norm(ray, axis=1), 1e-12)
    across, row = cKDTree(ray / distance[:, None]).query(ray / distance[:, None], NEIGHBOUR + 1)
    other = distance[row[:, 1]]
    layers = np.abs(other - distance) < STEEPEST * across[:, 1] * np.minimum(distance, other)
    return unevenness(across), float(layers.mean())


def unevenness(distances: Floats) -> float:
    """The standard deviation of the logarithm of the last of ascending distances (N, K)."""
    return float(np.log(np.maximum(distances[:, -1], 1e-12)).std())


def objective(pos: Floats, position: Floats) -> float:
    """U + WEIGHT (1 - L)."""
    uneven, layers = unevenness_and_layers(pos, position)
    return uneven + WEIGHT * (1 - layers)


def moved(pos: Floats, position: Floats, steps: Floats) -> Floats:
    """A position (3,) moved to a local minimum of the objective, by the Nelder-Mead method from steps (3, 3)."""
    from scipy.optimize import minimize

    options = {"initial_simplex": position + np.stack([np.zeros(3), *steps]), "maxfev": EVALUATIONS, "fatol": 1e-3}
    options["xatol"] = 0.03 * float(np.linalg.norm(steps[0]))
    least: Floats = minimize(lambda x: objective(pos, x), position, method="Nelder-Mead", options=options).x
    return least


def is_line(pos: Floats) -> bool:
    """Whether points (N, 3) lie on a line."""
    singular = np.linalg.svd(pos - pos.mean(0), compute_uv=False)
    return bool(singular[1] <= LINE * singular[0])


def principal_axes(pos: Floats) -> Floats:
    """Rows (3, 3), with the signs of the third moments of points (N, 3) along them: equivariant."""
    centred = pos - pos.mean(0)
    axes: Floats = np.linalg.svd(centred, full_matrices=False)[2]
    return axes * np.where(((centred @ axes.T) ** 3).sum(0) < 0, -1.0, 1.0)[:, None]
