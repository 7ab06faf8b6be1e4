"""Denoising of positions: points move along their normals to where the surface is densest.

Mean shift (Comaniciu, Meer: "Mean Shift: A Robust Approach Toward Feature Space Analysis", 2002) of the heights above
the plane of each point, with the lateral window of a projection onto a surface (Huang et al.: "Edge-Aware Point Set
Resampling", 2013): with h_ij = n_i . (x_j - x_i) and the lateral distance l_ij,

    x_i <- x_i + n_i sum_j w_ij h_ij / sum_j w_ij,
    w_ij = (n_i . n_j)^4 exp(-l_ij^2 / 2 a^2 - h_ij^2 / 2 b^2),

over the nearest neighbours and the point itself, all points at once; neighbours and l_ij stay those at the start.
a is half the median of the largest l_ij of each window. Two sheets some standard deviations of the noise apart stay
two, for b is that deviation: |h| of two points with noise of deviation b along the normal has its lower quartile at
QUARTILE b. Noise that leaves no surface is too strong: then positions stay as they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tensorframes.normals.orient.graph import Graph, nearest, neighbour_graph, roughness

Floats = NDArray[np.float64]

EXACT = 0.05
"""Roughness up to which positions are taken as they are."""

NOISY, BLURRED = 0.25, 0.06
"""Roughness, before and after sharpening, above which the positions of single points say nothing of the surface."""

NEIGHBOURS, NEAREST = 48, 24
"""Points of a window, and those of them from whose heights the noise is estimated."""

QUARTILE = 0.4506

ROUNDS, SHARE = 8, 0.999
"""Number of shifts, and the share of the whole way that points move: distinct points stay distinct."""

TOGETHER = 10_000
"""Points whose windows are measured at once, which the caches hold."""


def sharp_graph(graph: Graph) -> tuple[Graph, bool]:
    """The graph of the sharpened positions, and whether it is noisy: then that of the positions as they are."""
    rough = roughness(graph)
    if rough <= EXACT:
        return graph, False
    sharp = neighbour_graph(sharpened(graph.pos, graph.normal), graph.normal)
    noisy = rough > NOISY and roughness(sharp) > BLURRED
    return graph if noisy else sharp, noisy


def sharpened(pos: Floats, normal: Floats) -> Floats:
    """Distinct points (N, 3), moved along their unit normals (N, 3) of any sign."""
    k = min(NEIGHBOURS, len(pos) - 1)
    near = nearest(pos, k + 1)[1][:, 1:]
    height, lateral, along = measured(pos, normal, near)
    noise = float(np.median(np.quantile(np.abs(height[:, :NEAREST]), 0.25, axis=1))) / QUARTILE
    radius = float(np.median(lateral.max(axis=1))) / 2
    if noise == 0 or radius == 0:
        return pos
    window = along**4 * np.exp(-0.5 * (lateral / np.float32(radius)) ** 2)
    moved = np.zeros(len(pos), dtype=np.float32)
    for _ in range(ROUNDS):
        now = height + moved[near] * along - moved[:, None]
        weight = window * np.exp(-0.5 * (now / np.float32(noise)) ** 2)
        moved += (weight * now).sum(axis=1) / (weight.sum(axis=1) + 1)
    return pos + SHARE * moved[:, None] * normal


def measured(
    pos: Floats, normal: Floats, near: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Heights and lateral distances of neighbours (N, k), and the cosines of their normals, in float32."""
    found = np.empty((3, *near.shape), dtype=np.float32)
    axes = list(zip(pos.T.copy(), normal.T.copy(), strict=True))
    for first in range(0, len(pos), TOGETHER):
        rows = slice(first, first + TOGETHER)
        index = near[rows]
        height, square, along = (np.zeros(index.shape) for _ in range(3))
        for x, n in axes:
            apart = x[index] - x[rows, None]
            height += apart * n[rows, None]
            square += apart * apart
            along += n[index] * n[rows, None]
        found[:, rows] = height, np.sqrt(np.maximum(square - height * height, 0)), along
    return found[0], found[1], found[2]
