"""The winding number of a cloud with normals, and its gradient.

Points x_q with area vectors A_q = s_q a_q n_q have the winding number

    w(x) = sum_q A_q . (x_q - x) / (4 pi (|x_q - x|^2 + eps^2)^(3/2)),

1 inside and 0 outside of a closed surface whose normals point outward, on average 1/2 on it (the Gauss lemma), and
its gradient on the surface is along -n. Lin, Shi, Liu: "Fast and Globally Consistent Normal Orientation based on the
Winding Number Normal Consistency", 2024, sections 3 and 4. There all three components of A_q are unknown; here only
the signs s_q are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tensorframes.normals.orient.graph import Graph, capped, nearest
from tensorframes.parallel import parallel_map

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Indices = NDArray[np.int64]

BLOCK = 1 << 17
"""Pairs of points and patches that are processed at once: what fits into a core's cache."""


@dataclass(frozen=True)
class Patches:
    """Clusters of points as single dipoles: barycentres (P, 3), area vectors (P, 3), and their median spacing."""

    centre: Floats
    vector: Floats
    spacing: float


def patches(graph: Graph, sign: Floats, label: Indices) -> Patches:
    """The clusters (N,) of points with signs (N,).

    The area of a patch is its squared distance to the fourth nearest: in noise, areas of points are too small.
    """
    total = _sums(graph.area, label)
    centre = np.stack([_sums(graph.area * x, label) for x in graph.pos.T], axis=1) / total[:, None]
    mean = np.stack([_sums(graph.area * sign * n, label) for n in graph.normal.T], axis=1) / total[:, None]
    if len(centre) < 2:
        return Patches(centre, mean, 1.0)
    spacing = nearest(centre, min(5, len(centre)))[0][:, -1]
    return Patches(centre, mean * capped(spacing)[:, None] ** 2, float(np.median(spacing)))


def unit_rows(vectors: Floats) -> Floats:
    """Rows (N, 3) divided by their lengths; zero rows stay zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1.0)


def _sums(values: Floats, label: Indices) -> Floats:
    total: Floats = np.bincount(label, values).astype(np.float64, copy=False)
    return total


def medoids(graph: Graph, label: Indices) -> Indices:
    """Of each cluster the point nearest to its barycentre."""
    total = _sums(graph.area, label)
    centre = np.stack([_sums(graph.area * x, label) for x in graph.pos.T], axis=1) / total[:, None]
    square = ((graph.pos - centre[label]) ** 2).sum(axis=1)
    order = np.lexsort((square, label))
    return order[np.unique(label[order], return_index=True)[1]].astype(np.int64)


def fields(source: Patches, query: Floats, normal: Floats, smoothing: float) -> tuple[Singles, Singles]:
    """What each patch p contributes at each of M points: w_p(x_m), and -n_m . grad w_p(x_m), both (M, P) float32.

    The second is the coupling of their signs: positive where the winding number falls along n_m.

    Args:
        query, normal: (M, 3).
        smoothing: eps, in the unit of the positions.
    """
    rows = max(1, BLOCK // len(source.centre))

    def of_block(start: int) -> tuple[Singles, Singles]:
        block = slice(start, start + rows)
        return _block_fields(source, query[block], normal[block], smoothing)

    parts = parallel_map(of_block, range(0, len(query), rows), torch.device("cpu"))
    value, slope = zip(*parts, strict=True)
    return np.concatenate(value), np.concatenate(slope)


def _block_fields(source: Patches, query: Floats, normal: Floats, smoothing: float) -> tuple[Singles, Singles]:
    # Differences of products cancel: in float64. What follows is in float32, twice as fast.
    c, v = source.centre, source.vector
    square = ((query * query).sum(1)[:, None] + (c * c).sum(1) - 2 * query @ c.T).clip(0) + smoothing**2
    along = ((c * v).sum(1) - query @ v.T).astype(np.float32)  # A_p . (x_p - x_m)
    across = (normal @ c.T - (normal * query).sum(1)[:, None]).astype(np.float32)  # n_m . (x_p - x_m)
    inverse = 1 / square.astype(np.float32)
    weight = inverse * np.sqrt(inverse) * np.float32(1 / (4 * np.pi))
    slope = ((normal @ v.T).astype(np.float32) - 3 * along * across * inverse) * weight
    return along * weight, slope
