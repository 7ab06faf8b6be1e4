"""Signs by local and by global evidence, and the better of them.

Three candidates, each from the neighbour graph:

- the minimum spanning tree of Hoppe et al.;
- summed dipoles: contraction of the graph with couplings that see sharp edges and thin sheets;
- winding: contraction with couplings that do not mind noise, down to patches; then contraction of all pairs of patches
  with the gradient of the winding number, which does not flip whole parts.

In each, clusters that the winding number shows to be inside out are turned. The best has the least

    E = sum_m (c w(x_m) - 1/2)^2 / (M / 4)  +  1 + (sum_m n_m . grad w(x_m)) / (sum_mp |n_m . grad w_p(x_m)|)

over M points of the cloud: how far the winding number is from 1/2 on the surface, with the factor c of the areas that
fits best, and how much of its gradient is not along -n.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorframes.normals.orient.contraction import Clusters, contracted, contracted_dense, singletons
from tensorframes.normals.orient.graph import Graph, couplings, spanning_tree_signs
from tensorframes.normals.orient.winding import fields, medoids, patches

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Level = tuple[Indices, Floats]  # labels and signs (N,)

SHARP, BLUNT = 0.3, 3.0
"""Smoothing of the couplings for clean clouds and for noise, in spacings."""

COARSE, SOURCES, QUERIES, TURNED = 3000, 20_000, 1500, 64
"""Largest numbers of patches that all interact, of patches that make the winding number, of points where it is
computed, and of clusters that may be turned."""

GAIN = 0.01
"""Least decrease of the first term of E that turns a cluster."""

EVIDENCE = 0.2
"""Correlation of the winding number on the surface with 1/2, below which there is no inside."""


@dataclass(frozen=True)
class Signs:
    """Signs (N,) of a candidate; its E; whether its winding number tells inside from outside."""

    sign: Floats
    energy: float
    closed: bool


def best_signs(graph: Graph) -> tuple[Signs, Indices]:
    """The candidate of least E, the first of several; and the connected part (N,) of each point."""
    sharp = contracted(singletons(len(graph.pos), graph.a, graph.b, couplings(graph, SHARP)), 1)
    field = Field.of(graph, sharp)
    found = [field.judged(graph, [(each.label, each.sign) for each in sharp])]
    blunt = contracted(singletons(len(graph.pos), graph.a, graph.b, couplings(graph, BLUNT)), COARSE)
    found.append(field.judged(graph, winding_levels(graph, blunt[-1])))
    found.append(field.judged(graph, [spanning_tree_signs(graph)]))
    return min(found, key=lambda each: each.energy), sharp[-1].label


def winding_levels(graph: Graph, clusters: Clusters) -> list[Level]:
    """Contraction of all pairs of clusters with the gradient of the winding number: labels and signs (N,) by round."""
    dipole = patches(graph, clusters.sign, clusters.label)
    coupling = fields(dipole, dipole.centre, dipole.vector, dipole.spacing)[1].astype(np.float64)
    np.fill_diagonal(coupling, 0.0)
    rounds = contracted_dense(coupling, 1)
    return [(label[clusters.label], clusters.sign * sign[clusters.label]) for label, sign in rounds]


@dataclass(frozen=True)
class Field:
    """Where the winding number is computed, and from which patches.

    source: (N,) patch of each point.
    query: (M,) points.
    """

    source: Indices
    query: Indices

    @classmethod
    def of(cls, graph: Graph, rounds: list[Clusters]) -> Field:
        """Clusters of the neighbour graph, and the medoids of larger ones."""

        def at_most(count: int) -> Indices:
            return next((each.label for each in rounds if each.count <= count), rounds[-1].label)

        return cls(at_most(SOURCES), medoids(graph, at_most(QUERIES)))

    def judged(self, graph: Graph, levels: list[Level]) -> Signs:
        """The last of a candidate's levels, with clusters turned, and its E."""
        sign = levels[-1][1]
        dipole = patches(graph, sign, self.source)
        normal = graph.normal[self.query] * sign[self.query, None]
        value, slope = fields(dipole, graph.pos[self.query], normal, 1.0)
        own = (np.arange(len(self.query)), self.source[self.query])
        value[own], slope[own] = 0.0, 0.0
        clusters = [label for label, _ in levels if label.max() < TURNED] or [levels[-1][0]]
        patch = np.unique(self.source, return_index=True)[1]
        turn, misfit, positive = turned(value, clusters, patch)
        aligned = float((slope @ turn[patch]) @ turn[self.query]) / max(float(np.abs(slope).sum()), 1e-30)
        return Signs(sign * turn, misfit + 1 - aligned, positive)


def turned(value: NDArray[np.float32], clusters: list[Indices], patch: Indices) -> tuple[Floats, float, bool]:
    """Which clusters to turn (N,), 1 or -1, the misfit of the winding number, and whether it tells an inside.

    Clusters of any of the levels are turned, the one with the largest decrease of the misfit first.

    Args:
        value: (M, P) the winding number of each patch at each point.
        clusters: labels (N,) of levels, each made of clusters of the one before.
        patch: (P,) a point of each patch.
    """
    finest = clusters[0]
    count = int(finest.max()) + 1
    parts = np.stack([np.bincount(finest[patch], row, minlength=count) for row in value])
    some = np.unique(finest, return_index=True)[1]
    masks = np.concatenate([label[some] == np.arange(label.max() + 1)[:, None] for label in clusters])
    turn, misfit, correlation = np.ones(count), *fit(parts.sum(axis=1))
    for _ in range(2 * count):
        tried = np.where(masks, -turn, turn)
        misfits = [fit(parts @ each)[0] for each in tried]
        best = int(np.argmin(misfits))
        if misfits[best] > misfit - GAIN:
            break
        turn, misfit = tried[best], misfits[best]
    correlation = fit(parts @ turn)[1]
    return (turn if correlation >= 0 else -turn)[finest], misfit, abs(correlation) >= EVIDENCE


def fit(winding: Floats) -> tuple[float, float]:
    """min_c sum_m (c w_m - 1/2)^2 / (M / 4) = 1 - r^2, and r = sum_m w_m / (M sum_m w_m^2)^(1/2)."""
    square = float(winding @ winding)
    r = float(winding.sum()) / (len(winding) * square) ** 0.5 if square > 0 else 0.0
    return 1 - r * r, r
