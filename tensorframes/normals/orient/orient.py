"""Oriented normals: a sign for each."""

from __future__ import annotations

from typing import overload

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from tensorframes.geometry.distances import distinct_points, one_cloud
from tensorframes.geometry.outliers import within_range
from tensorframes.geometry.thinned import thinned_rows
from tensorframes.normals.orient.choice import best_signs
from tensorframes.normals.orient.graph import connected_parts, nearest, neighbour_graph
from tensorframes.normals.orient.sensor import facing
from tensorframes.normals.orient.sharpening import sharp_graph
from tensorframes.normals.points import OnDevice, Points, as_array, number_rows, plain, shape_of
from tensorframes.words import counted

Floats = NDArray[np.float64]

METHODS = ("viewpoint", "up", "outward", "consistent")

MOST = 200_000
"""Largest number of points of the neighbour graph. Further points take the sign of most of their VOTERS neighbours."""

VOTERS = 4


@overload
def orient_normals(
    points: Points,
    normals: torch.Tensor,
    method: str = "outward",
    viewpoint: ArrayLike | None = None,
    up: ArrayLike | None = None,
) -> torch.Tensor: ...


@overload
def orient_normals(
    points: Points,
    normals: ArrayLike | OnDevice,
    method: str = "outward",
    viewpoint: ArrayLike | None = None,
    up: ArrayLike | None = None,
) -> NDArray: ...


def orient_normals(
    points: Points,
    normals: ArrayLike | OnDevice | torch.Tensor,
    method: str = "outward",
    viewpoint: ArrayLike | None = None,
    up: ArrayLike | None = None,
) -> NDArray | torch.Tensor:
    """The normals, with signs chosen by the method.

    - ``viewpoint``: towards a point v, n . (v - x) >= 0, such as the position of the sensor, or a point for each x.
    - ``up``: towards a direction d, n . d >= 0.
    - ``outward``: consistent along the surface, and outward on closed shapes (``choice.best_signs``). In a range scan
      with evenly spaced rays, all normals face the sensor. Other surfaces without an inside, such as flat sheets, get
      the sign of most of their given normals.
    - ``consistent``: consistent along the surface; each connected part gets the sign of most of its given normals.

    Except for ties, signs do not depend on scale, offset, pose and order of the cloud, and are equivariant under
    reflections. Rows that are zero or not finite stay as they are.

    Args:
        points: (N, 3) numbers: an array, a tensor, or a point cloud of Open3D, trimesh or laspy.
        normals: (N, 3), of any length; an array or array-like, or a tensor on any device.
        method: see above.
        viewpoint: (3,), or (N, 3) of each point, for the method of that name.
        up: (3,) direction for the method of that name, by default (0, 0, 1).

    Returns:
        (N, 3) normals times 1 or -1: a tensor if ``normals`` are one, on its device, or else an array; of their dtype,
        float64 for integers.

    Raises:
        ValueError: shapes or values are not as above, the method is unknown, a viewpoint is missing, or the method does
            not use the given viewpoint or direction.
    """
    pos = number_rows(as_array(points), "points").astype(np.float64)
    normal = number_rows(plain(normals), "normals").astype(np.float64)
    if len(pos) != len(normal):
        raise ValueError(f"expected one normal for each of {counted(len(pos), 'point')}, got {len(normal)}")
    if method not in METHODS:
        raise ValueError(f"expected a method of {', '.join(METHODS)}, got {method!r}")
    for name, given in (("viewpoint", viewpoint), ("up", up)):
        if given is not None and method != name:
            raise ValueError(f"expected the method {name} for {name}, got {method}")
    usable = np.isfinite(pos).all(1) & np.isfinite(normal).all(1) & (normal != 0).any(1)
    sign, unit = np.ones(len(pos)), directions(normal[usable])
    if method == "viewpoint":
        sign[usable] = facing(unit, (_viewpoints(viewpoint, len(pos)) - pos)[usable])
    elif method == "up":
        sign[usable] = facing(unit, _direction((0.0, 0.0, 1.0) if up is None else up))
    elif usable.any():
        with torch.no_grad():
            sign[usable] = surface_signs(within_range(pos[usable]), unit, outward=method == "outward")
    if isinstance(normals, torch.Tensor):
        real = normals if normals.is_floating_point() else normals.double()
        return real * torch.from_numpy(sign).to(real)[:, None]
    array = plain(normals)
    return array * sign.astype(array.dtype if array.dtype.kind == "f" else np.float64)[:, None]


def directions(vectors: Floats) -> Floats:
    """Vectors (..., 3), none of them zero, divided by their lengths, also where squares over- or underflow."""
    scaled = vectors / np.abs(vectors).max(axis=-1, keepdims=True)
    unit: Floats = scaled / np.linalg.norm(scaled, axis=-1, keepdims=True)
    return unit


def _direction(values: ArrayLike) -> Floats:
    """(3,) float64, of length 1."""
    vector = _vector(values, "up")
    if not vector.any():
        raise ValueError("expected up of three numbers, not all of them zero, got zeros")
    return directions(vector)


def _viewpoints(values: ArrayLike | None, count: int) -> Floats:
    """(3,) or (count, 3) float64, finite."""
    if values is None:
        raise ValueError("expected a viewpoint of three numbers, got none")
    array = plain(values)
    if array.ndim < 2:
        return _vector(values, "viewpoint")
    if array.shape != (count, 3) or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        got = f"shape {array.shape}" if array.shape != (count, 3) else "some that are not"
        raise ValueError(f"expected viewpoint of three finite numbers, or of shape ({count}, 3), got {got}")
    return array.astype(np.float64)


def _vector(values: ArrayLike, name: str) -> Floats:
    """(3,) float64, finite."""
    array = plain(values)
    if array.shape != (3,) or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        got = array.tolist() if array.ndim and array.size <= 3 else shape_of(array)
        raise ValueError(f"expected {name} of three finite numbers, got {got}")
    return array.astype(np.float64)


def surface_signs(pos: Floats, normal: Floats, outward: bool) -> Floats:
    """Signs (N,) of unit normals (N, 3) at finite points (N, 3); equal points are merged, large clouds thinned."""
    groups = distinct_points(*one_cloud(pos))
    first, group = groups.first.numpy(), groups.index.numpy()
    follows = facing(normal, normal[first][group])  # of a copy, relative to the first
    mean = np.stack([np.bincount(group, follows * column) for column in normal.T], axis=1)
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    mean = np.where(length > 0, mean / np.maximum(length, 1e-30), normal[first])
    sign: Floats = _distinct_signs(pos[first], mean, outward)[group] * follows
    return sign


def _distinct_signs(pos: Floats, normal: Floats, outward: bool) -> Floats:
    """The same of distinct points."""
    if len(pos) <= MOST:
        return _graph_signs(pos, normal, outward)
    kept = thinned_rows(pos, MOST)
    sign = _graph_signs(pos[kept], normal[kept], outward)
    near = nearest(pos[kept], VOTERS, pos)[1]
    votes = np.einsum("nka,na,nk->n", normal[kept][near], normal, sign[near])
    return np.where(votes < 0, -1.0, 1.0)


def _graph_signs(pos: Floats, normal: Floats, outward: bool) -> Floats:
    if len(pos) < 2:
        return np.ones(len(pos))
    graph, noisy = sharp_graph(neighbour_graph(pos, normal))
    best = best_signs(graph, noisy)
    if outward and (best.closed or best.facing):
        return best.sign
    part = np.zeros(len(pos), dtype=np.int64) if outward and best.whole else connected_parts(graph)
    return as_given(best.sign, part)


def as_given(sign: Floats, part: NDArray[np.int64]) -> Floats:
    """Signs (N,) of which in each part (N,) at least half are 1; where half are, its first is 1."""
    total = np.bincount(part, sign)
    first = sign[np.unique(part, return_index=True)[1]]
    turn = np.where(total == 0, first, np.sign(total))
    return sign * turn[part]
