"""The neighbour graph of a cloud, and couplings of the signs at the ends of its edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial import cKDTree

from tensorframes.geometry.kdtree import nearest_in
from tensorframes.normals.orient.contraction import forest_signs

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

NEIGHBOURS = 16

LARGEST = 10.0
"""Spacings are capped at this many times their median, so that a point far from all others has no large area."""


@dataclass(frozen=True)
class Graph:
    """Distinct points, in units of their median spacing, with their normals and pairs of neighbours.

    pos, normal: (N, 3).
    area: (N,) of the surface that each point stands for, up to a common factor.
    a, b: (E,) pairs a < b where one is among the NEIGHBOURS nearest of the other.
    """

    pos: Floats
    normal: Floats
    area: Floats
    a: Indices
    b: Indices


def neighbour_graph(pos: Floats, normal: Floats) -> Graph:
    """The graph of at least two distinct points (N, 3) with unit normals (N, 3).

    The unit of length is the median distance to the sixth neighbour, the area of a point its squared distance to the
    eighth.
    """
    centred = pos - pos.mean(axis=0)
    count, k = len(pos), min(NEIGHBOURS, len(pos) - 1)
    distance, near = nearest(centred, k + 1)
    unit = float(np.median(distance[:, min(6, k)]))
    row, other = np.repeat(np.arange(count), k), near[:, 1:].ravel()
    pair = distinct(np.minimum(row, other) * count + np.maximum(row, other))
    pair = pair[pair // count != pair % count]
    return Graph(centred / unit, normal, capped(distance[:, min(8, k)] / unit) ** 2, pair // count, pair % count)


def distinct(numbers: Indices) -> Indices:
    """The distinct numbers, all of at least 0, ascending.

    ``numpy.unique`` hashes integers, which takes eight times as long for pairs.
    """
    ordered = np.sort(numbers)
    new: Indices = ordered[np.diff(ordered, prepend=-1) != 0]
    return new


def nearest(pos: Floats, k: int, query: Floats | None = None) -> tuple[Floats, Indices]:
    """Distances and rows (M, k) of the nearest points."""
    distance, row = nearest_in(cKDTree(pos), pos if query is None else query, range(1, k + 1))
    return distance, row.astype(np.int64)


def capped(spacing: Floats) -> Floats:
    """Spacings (N,), at most LARGEST times their median."""
    return np.minimum(spacing, LARGEST * np.median(spacing))


def couplings(graph: Graph, smoothing: float) -> Floats:
    """J (E,) of the pairs: the interaction of dipoles along the normals, r = x_b - x_a,

        J = (n_a . n_b - 3 (n_a . r)(n_b . r) / (|r|^2 + eps^2)) / (|r|^2 + eps^2)^(3/2).

    Its sign is that of s_a s_b on a surface, across sharp edges and across a thin sheet, too, as long as eps is smaller
    than these and the noise smaller than eps. For large eps J is n_a . n_b.

    Args:
        smoothing: eps, in median spacings.
    """
    a, b = graph.a, graph.b
    r = graph.pos[b] - graph.pos[a]
    square = (r * r).sum(axis=1) + smoothing**2
    n, m = graph.normal[a], graph.normal[b]
    across = (n * r).sum(axis=1) * (m * r).sum(axis=1)
    return ((n * m).sum(axis=1) - 3 * across / square) / square**1.5


def roughness(graph: Graph) -> float:
    """Median of |n_a . r| / |r| over the pairs: near 0 on a surface, near 1/2 where noise exceeds the spacing."""
    r = graph.pos[graph.b] - graph.pos[graph.a]
    height = np.abs((graph.normal[graph.a] * r).sum(axis=1))
    length = np.maximum(np.linalg.norm(r, axis=1), 1e-12)  # sharpened points may be equal but for rounding
    return float(np.median(height / length))


def connected_parts(graph: Graph) -> Indices:
    """(N,) the connected part of each point, 0, 1, ..."""
    edges = csr_array((np.ones(len(graph.a)), (graph.a, graph.b)), shape=(len(graph.pos), len(graph.pos)))
    part: Indices = connected_components(edges, directed=False)[1].astype(np.int64)
    return part


def spanning_tree_signs(graph: Graph) -> tuple[Indices, Floats]:
    """Connected part and sign (N,) of each point, along the minimum spanning forest with weights 1 - |n_a . n_b|.

    Hoppe et al.: "Surface Reconstruction from Unorganized Points", 1992, section 3.3.
    """
    count = len(graph.pos)
    dot = (graph.normal[graph.a] * graph.normal[graph.b]).sum(axis=1)
    weight = np.maximum(1 - np.abs(dot), 0) + 1e-9  # a stored zero would be no edge
    tree = minimum_spanning_tree(csr_array((weight, (graph.a, graph.b)), shape=(count, count))).tocoo()
    a, b = (each.astype(np.int64) for each in tree.coords)
    return forest_signs(count, a, b, (graph.normal[a] * graph.normal[b]).sum(axis=1))
