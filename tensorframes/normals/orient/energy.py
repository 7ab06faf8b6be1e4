"""An energy that measures, by the winding number, how far an oriented surface is from a closed one.

Clusters that the winding number w shows to be inside out are turned, if w is then nearly constant on the surface, as on
a closed one. The signs have the energy

    E = sum_m (c w(x_m) - 1/2)^2 / (M / 4)  +  (1 + (sum_m n_m . grad w(x_m)) / (sum_mp |n_m . grad w_p(x_m)|)) / 4

over M points of the surface: how far the winding number is from 1/2 there, with the factor c of the areas that fits
best, and how much of its gradient is not along -n. The second weighs less, for beside another wall it is large on the
right surface, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorframes.normals.orient.contraction import Clusters, at_most
from tensorframes.normals.orient.graph import Graph
from tensorframes.normals.orient.winding import Singles, fields, medoids, patches, unit_rows

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Level = tuple[Indices, Floats]  # labels and signs (N,)

SOURCES, QUERIES, TURNED = 10_000, 1500, 64
"""Largest numbers of patches that make the winding number, of points where it is computed, and of clusters that may be
turned."""

GAIN = 0.005
"""Least decrease of E that turns a cluster."""

ALONG = 0.25
"""Weight of the second term of E."""

EVIDENCE = 0.2
"""Correlation of the winding number on the surface with 1/2, below which there is no inside."""

CERTAIN, LIKELY = 0.9, 0.8
"""The same with clusters turned, from which they stay turned; from the second if E then is at most half as large. On
open surfaces E falls, too, when a part is turned, but the correlation is smaller."""


@dataclass(frozen=True)
class Signs:
    """Signs (N,) of a candidate; its E; whether its winding number separates inside from outside; whether its signs
    are relative in the whole cloud, instead of in each connected part; and whether they are those towards a sensor."""

    sign: Floats
    energy: float
    closed: bool
    whole: bool = False
    facing: bool = False


@dataclass(frozen=True)
class Field:
    """Where the winding number is computed, and from which patches.

    source: (N,) patch of each point.
    query: (M,) points. With ``smooth`` one of each patch, in their order, which stands for its barycentre.
    """

    source: Indices
    query: Indices
    smooth: bool

    @classmethod
    def of_patches(cls, label: Indices) -> Field:
        """The barycentres of the patches (N,), for noise."""
        return cls(label, np.unique(label, return_index=True)[1].astype(np.int64), True)

    @classmethod
    def of_points(cls, graph: Graph, rounds: list[Clusters]) -> Field:
        """Small clusters of a contraction, and the medoids of larger ones, for little noise."""
        query = medoids(graph, at_most(rounds, QUERIES).label)
        return cls(at_most(rounds, SOURCES).label, query[:: -(-len(query) // QUERIES)], False)

    def judged(self, graph: Graph, levels: list[Level]) -> Signs:
        """The last of a candidate's levels, with clusters turned if the surface is then closed, and its E."""
        sign = levels[-1][1]
        value, slope = self.computed(graph, sign)
        clusters = [label for label, _ in levels if label.max() < TURNED] or [levels[-1][0]]
        finest = clusters[0]
        places = np.unique(finest, return_index=True)[1]
        masks = np.concatenate([label[places] == np.arange(label.max() + 1)[:, None] for label in clusters])
        patch = np.unique(self.source, return_index=True)[1]
        energy = Energy.of(value, slope, finest[patch], finest[self.query], len(places))
        turn, least = energy.closing(masks)
        correlation = float(energy.correlation(turn[None])[0])
        turn = turn if correlation >= 0 else -turn
        return Signs(sign * turn[finest], least, abs(correlation) >= EVIDENCE)

    def computed(self, graph: Graph, sign: Floats) -> tuple[Singles, Singles]:
        """What each other patch contributes to the winding number and its slope at the points, (M, P)."""
        dipole = patches(graph, sign, self.source)
        if self.smooth:
            value, slope = fields(dipole, dipole.centre, unit_rows(dipole.vector), dipole.spacing)
        else:
            normal = graph.normal[self.query] * sign[self.query, None]
            value, slope = fields(dipole, graph.pos[self.query], normal, 1.0)
        own = (np.arange(len(self.query)), self.source[self.query])
        value[own], slope[own] = 0.0, 0.0
        return value, slope


@dataclass(frozen=True)
class Energy:
    """E as a function of the signs t (C,) of C clusters.

    winding: (M, C) what each cluster contributes to the winding number.
    slope: (C, C) sums of -n_m . grad w_p over points of one and patches of another, divided by that of all magnitudes.
    """

    winding: Floats
    slope: Floats

    @classmethod
    def of(cls, value: Singles, slope: Singles, column: Indices, row: Indices, count: int) -> Energy:
        """Of (M, P) arrays, with the clusters of the patches (P,) and of the points (M,)."""
        total = max(float(np.abs(slope).sum(dtype=np.float64)), 1e-30)
        one_hot = np.eye(count, dtype=np.float32)
        return cls(
            (value @ one_hot[column]).astype(np.float64),
            (one_hot[row].T @ (slope @ one_hot[column])).astype(np.float64) / total,
        )

    def __call__(self, turn: Floats) -> Floats:
        """E (K,) of signs (K, C): with the best c the first term is 1 - r^2, where r is the correlation."""
        aligned = ((turn @ self.slope) * turn).sum(axis=1)
        energy: Floats = 1 - self.correlation(turn) ** 2 + ALONG * (1 - aligned)
        return energy

    def correlation(self, turn: Floats) -> Floats:
        """r = sum_m w_m / (M sum_m w_m^2)^(1/2), (K,) of signs (K, C)."""
        w = self.winding @ turn.T
        square = len(w) * (w * w).sum(axis=0)
        correlation: Floats = w.sum(axis=0) / np.sqrt(np.where(square > 0, square, 1.0))
        return correlation

    def closing(self, masks: NDArray[np.bool_]) -> tuple[Floats, float]:
        """Signs (C,) after turning sets (K, C) of clusters, if these then close the surface, or else 1; and their E."""
        tried = np.stack([self.descended(masks), np.ones(masks.shape[1])])
        least, given = self(tried)
        correlation = abs(float(self.correlation(tried)[0]))
        closed = correlation >= CERTAIN or (correlation >= LIKELY and least <= given / 2)
        return (tried[0], float(least)) if closed else (tried[1], float(given))

    def descended(self, masks: NDArray[np.bool_]) -> Floats:
        """Signs (C,) after turning sets (K, C) of clusters, at each step the one that lowers E most."""
        turn = np.ones(masks.shape[1])
        energy = float(self(turn[None])[0])
        for _ in range(2 * len(turn)):
            tried = np.where(masks, -turn, turn)
            energies = self(tried)
            best = int(np.argmin(energies))
            if energies[best] > energy - GAIN:
                break
            turn, energy = tried[best], float(energies[best])
        return turn
