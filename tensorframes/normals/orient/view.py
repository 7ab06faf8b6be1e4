"""The viewpoint of a range scan: a place that the whole surface faces.

Parts that lie behind others have no neighbours across the gap, so that their relative signs are unknown; but either all
normals face the viewpoint v, or none. With relative signs s within clusters c, and areas a, a viewpoint has the
agreement

    A(v) = sum_c |sum_(i in c) m_i| / sum_i |m_i|,    m_i = a_i s_i n_i . (v - x_i) / |v - x_i|,

1 if every cluster is visible from one side alone. The direction to a viewpoint at infinity is the same at all points.
Among viewpoints of equal agreement the couplings of the clusters decide: TIES times the share of violated couplings is
subtracted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorframes.normals.orient.contraction import Clusters
from tensorframes.normals.orient.graph import Graph
from tensorframes.normals.orient.winding import Patches, patches, unit_rows

Floats = NDArray[np.float64]

DISTANCES = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""From the centre to the viewpoints that are tried, in root mean square distances of the points."""

OUTSIDE = 0.8
"""Least length of the mean unit direction to a viewpoint, that of a cone of 106 degrees. Viewpoints inside a closed
surface, with points in all directions, have a smaller one."""

TIES = 0.02
"""Weight of the share of violated couplings."""

MOST = 256
"""Largest number of clusters for which a viewpoint is searched: many small clusters agree with any viewpoint."""

BEST, STEPS = 4, 12
"""Number of viewpoints that are optimised, and number of steps."""


@dataclass(frozen=True)
class Views:
    """K viewpoints: x / w where w is 1, at infinity in direction x where w is 0; x (K, 3), w (K,)."""

    x: Floats
    w: Floats

    def facing_areas(self, of: Patches) -> tuple[Floats, Floats]:
        """m (P, K) of patches whose vectors are a s n, and the lengths (K,) of the mean unit directions."""
        product = of.vector @ self.x.T - (of.vector * of.centre).sum(1)[:, None] * self.w
        square = (self.x**2).sum(1) - 2 * (of.centre @ self.x.T) * self.w + (of.centre**2).sum(1)[:, None] * self.w
        inverse = 1 / np.sqrt(np.maximum(square, 1e-12))
        total = self.x * inverse.mean(0)[:, None] - self.w[:, None] * (inverse.T @ of.centre) / len(of.centre)
        return product * inverse, np.linalg.norm(total, axis=1)


@dataclass(frozen=True)
class Viewpoint:
    """The cosines (N,) of the angles between normals and the directions to a viewpoint, and its agreement."""

    cosine: Floats
    agreement: float

    def signs_of(self, graph: Graph, clusters: Clusters) -> Floats:
        """Signs (N,) with which each of the clusters faces the viewpoint."""
        side = np.where(self._sums(graph, clusters) < 0, -1.0, 1.0)
        signs: Floats = clusters.sign * side[clusters.label]
        return signs

    def agreement_of(self, graph: Graph, clusters: Clusters) -> float:
        """A of the viewpoint for any clusters."""
        return float(np.abs(self._sums(graph, clusters)).sum() / max(np.abs(graph.area * self.cosine).sum(), 1e-30))

    def _sums(self, graph: Graph, clusters: Clusters) -> Floats:
        """The sums (C,) of m over clusters."""
        sums: Floats = np.bincount(clusters.label, graph.area * clusters.sign * self.cosine).astype(np.float64)
        return sums


def best_view(graph: Graph, clusters: Clusters, coarse: Clusters, fine: Clusters) -> Viewpoint | None:
    """The viewpoint of the largest agreement; None for more than MOST clusters.

    Args:
        clusters: signs relative within each. coarse, fine: earlier clusters, parts of these: the viewpoint is searched
            with the coarse ones, in which noise is averaged, and then moved by the fine ones.
    """
    if clusters.count > MOST:
        return None
    axes = np.linalg.svd(graph.pos, full_matrices=False)[2]
    agreement, mean = agreement_with(graph, clusters, coarse)
    size = float(np.sqrt((graph.pos**2).sum(1).mean()))
    view, largest = optimised(initial_views(np.concatenate([unit_rows(mean), axes]), size), axes, agreement)
    view, _ = optimised(view, axes, agreement_with(graph, clusters, fine)[0])
    cosine = view.facing_areas(Patches(graph.pos, graph.normal, 1.0))[0][:, 0]
    return Viewpoint(cosine, largest)


def agreement_with(graph: Graph, clusters: Clusters, fine: Clusters) -> tuple[Callable[[Views], Floats], Floats]:
    """A as a function of viewpoints, in sums over the patches ``fine``; and the clusters' sums of area vectors."""
    parts = patches(graph, clusters.sign, fine.label)
    label = clusters.label[np.unique(fine.label, return_index=True)[1]]
    coupling = np.zeros((clusters.count, clusters.count))
    coupling[clusters.a, clusters.b] = coupling[clusters.b, clusters.a] = clusters.coupling
    total = max(float(np.abs(coupling).sum()), 1e-30)
    one_hot = (label == np.arange(clusters.count)[:, None]).astype(np.float64)

    def agreement(views: Views) -> Floats:
        m, length = views.facing_areas(parts)
        sums = one_hot @ m
        share = np.abs(sums).sum(0) / np.maximum(np.abs(m).sum(0), 1e-30)
        violated = (1 - (np.sign(sums) * (coupling @ np.sign(sums))).sum(0) / total) / 2
        values: Floats = np.where(length < OUTSIDE, 0.0, share - TIES * violated)
        return values

    return agreement, one_hot @ parts.vector


def initial_views(direction: Floats, size: float) -> Views:
    """Viewpoints at infinity along directions (K, 3), and at several distances both ways."""
    finite = np.asarray(DISTANCES)[:, None, None] * size * np.concatenate([direction, -direction])
    x = np.concatenate([direction, finite.reshape(-1, 3)])
    return Views(x, (np.arange(len(x)) >= len(direction)).astype(np.float64))


def optimised(views: Views, axes: Floats, agreement: Callable[[Views], Floats]) -> tuple[Views, float]:
    """The best of some viewpoints, moved along axes (3, 3) to where the agreement is largest, and the agreement."""
    value = agreement(views)
    best = np.argsort(-value, kind="stable")[:BEST]
    x, w, value = views.x[best], views.w[best], value[best]
    step, moves, rows = np.linalg.norm(x, axis=1) / 4, np.concatenate([axes, -axes]), np.arange(len(best))
    for _ in range(STEPS):
        near = x[:, None] + step[:, None, None] * moves
        tried = agreement(Views(near.reshape(-1, 3), w.repeat(len(moves)))).reshape(len(rows), -1)
        which = tried.argmax(1)
        better = tried[rows, which] > value
        x = np.where(better[:, None], near[rows, which], x)
        value, step = np.where(better, tried[rows, which], value), np.where(better, step, step / 2)
    last = int(value.argmax())
    return Views(x[last : last + 1], w[last : last + 1]), float(value.max())
