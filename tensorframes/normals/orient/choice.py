"""Signs by local and by global evidence, and the better of them.

Candidates, each from the neighbour graph:

- the minimum spanning tree of Hoppe et al.;
- winding: contraction with couplings that average noise, down to patches; then contraction of all pairs of patches with
  the gradient of the winding number, which does not flip whole parts; in noise, with several sizes and smoothings;
- dipoles, if there is little noise: contraction of the graph with couplings that see sharp edges and thin sheets.

In each, clusters that the winding number w shows to be inside out are turned, if w is then nearly constant on the
surface, as on a closed one. The best has the least

    E = sum_m (c w(x_m) - 1/2)^2 / (M / 4)  +  (1 + (sum_m n_m . grad w(x_m)) / (sum_mp |n_m . grad w_p(x_m)|)) / 4

over M points of the surface: how far the winding number is from 1/2 there, with the factor c of the areas that fits
best, and how much of its gradient is not along -n. The second weighs less, for beside another wall it is large on the
right surface, too. To E is added UNLIKE times the share of the couplings that a candidate's signs are not those of,
which alone counts if no E is small enough for a closed surface.

Before, noise is taken from the positions (``sharpening``), so that sheets close to each other are told apart. Where it
is too strong for that, the positions stay as they are, and couplings and fields average it.

If the least E is not small, and there is little noise, a viewpoint is looked for that the whole surface faces, as that
of a range scan (``view``): its signs are taken instead, for no edges tell those of parts with others in front of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tensorframes.normals.orient.contraction import Clusters, contracted, contracted_dense, singletons
from tensorframes.normals.orient.graph import Graph, couplings, neighbour_graph, roughness, spanning_tree_signs
from tensorframes.normals.orient.sharpening import sharpened
from tensorframes.normals.orient.view import best_view
from tensorframes.normals.orient.winding import Singles, fields, medoids, patches, unit_rows

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Level = tuple[Indices, Floats]  # labels and signs (N,)

EXACT = 0.05
"""Roughness up to which positions are taken as they are."""

NOISY, BLURRED = 0.25, 0.06
"""Roughness, before and after sharpening, above which the positions of single points say nothing of the surface."""

SHARP, BLUNT = 0.3, 3.0
"""Smoothing of the couplings for little noise and for any, in spacings."""

PATIENCE = 0.5
"""See ``contracted``; for couplings that see sharp edges."""

COARSE = ((3000, 1.0), (3000, 2.0), (1000, 1.0))
"""Largest number of patches that all interact, and the smoothing of their interaction, in spacings of the patches; the
first alone if there is little noise."""

PAIRED = 6000
"""Number of unconnected parts above which these are not all paired: memory is quadratic in it."""

SOURCES, QUERIES, TURNED = 10_000, 1500, 64
"""Largest numbers of patches that make the winding number, of points where it is computed, and of clusters that may be
turned."""

GAIN = 0.005
"""Least decrease of E that turns a cluster."""

ALONG = 0.25
"""Weight of the second term of E."""

ENOUGH = 0.03
"""An E that no other candidate need try to lower."""

UNLIKE = 8.0
"""Weight of the share of couplings, added to E, that a candidate's signs are not those of; 1 in noise, where couplings
tell less."""

OPEN = 0.5
"""Least E of all candidates above which the surface encloses nothing: then the couplings alone choose."""

SEEN = ((128, 0.975), (32, 0.9))
"""Numbers of clusters, and the least agreement of each with a viewpoint that the signs are taken from."""

EVIDENCE = 0.2
"""Correlation of the winding number on the surface with 1/2, below which there is no inside."""

CERTAIN, LIKELY = 0.9, 0.8
"""The same with clusters turned, from which they stay turned; from the second if E then is at most half as large. On
open surfaces E falls, too, when a part is turned, but the correlation is smaller."""


@dataclass(frozen=True)
class Signs:
    """Signs (N,) of a candidate; its E; whether its winding number tells inside from outside; and whether its signs are
    relative in the whole cloud, instead of in each connected part."""

    sign: Floats
    energy: float
    closed: bool
    whole: bool = False


def best_signs(graph: Graph) -> Signs:
    """The best candidate, the first of several; the first with an E below ENOUGH ends the search. The signs that a
    viewpoint sees, if there is one and no E is below ENOUGH."""
    graph, noisy = sharper(graph)
    start = singletons(len(graph.pos), graph.a, graph.b, couplings(graph, BLUNT))
    if noisy:
        rounds = contracted(start, COARSE[-1][0], 0.0)
        field, candidates = Field.of_patches(at_most(rounds, COARSE[0][0]).label), in_noise(graph, rounds)
    else:
        rounds = contracted(replace(start, coupling=couplings(graph, SHARP)), 1, PATIENCE)
        field, candidates = Field.of_points(graph, rounds), on_surfaces(graph, rounds, start)
    found: list[Signs] = []
    for levels in candidates:
        found.append(field.judged(graph, levels))
        if found[-1].energy < ENOUGH:
            return found[-1]
    seen = None if noisy else seen_signs(graph, rounds)
    if seen is not None:
        return replace(field.judged(graph, [(np.zeros(len(graph.pos), dtype=np.int64), seen)]), whole=True)
    energy = np.array([each.energy for each in found])
    unlike = np.array([against(rounds[0], each.sign) for each in found])
    weight = 1.0 if noisy else UNLIKE
    return found[int(np.argmin(weight * unlike + (energy if energy.min() <= OPEN else 0.0)))]


def sharper(graph: Graph) -> tuple[Graph, bool]:
    """The graph of the sharpened positions, and whether it is noisy: then that of the positions as they are."""
    rough = roughness(graph)
    if rough <= EXACT:
        return graph, False
    sharp = neighbour_graph(sharpened(graph.pos, graph.normal), graph.normal)
    noisy = rough > NOISY and roughness(sharp) > BLURRED
    return graph if noisy else sharp, noisy


def against(points: Clusters, sign: Floats) -> float:
    """The share of the couplings of points that signs (N,) are not those of."""
    strength = np.abs(points.coupling)
    wrong = points.coupling * sign[points.a] * sign[points.b] < 0
    return float(strength[wrong].sum() / max(strength.sum(), 1e-30))


def in_noise(graph: Graph, rounds: list[Clusters]) -> Iterator[list[Level]]:
    """Candidates from the rounds of a contraction that averages noise."""
    for count, smoothing in COARSE:
        yield winding_levels(graph, at_most(rounds, count), smoothing)
    yield [spanning_tree_signs(graph)]


def on_surfaces(graph: Graph, rounds: list[Clusters], blunt: Clusters) -> Iterator[list[Level]]:
    """Candidates from the rounds of a contraction that sees edges, and from single points with blunt couplings."""
    yield [(each.label, each.sign) for each in rounds]
    count, smoothing = COARSE[0]
    yield winding_levels(graph, contracted(blunt, count, 0.0)[-1], smoothing)
    yield [spanning_tree_signs(graph)]


def seen_signs(graph: Graph, rounds: list[Clusters]) -> Floats | None:
    """Signs (N,) of clusters toward the viewpoint that the whole surface faces; None if there is none."""
    (many, least), (few, least_of_few) = SEEN
    clusters = at_most(rounds, many)
    seen = best_view(graph, clusters, at_most(rounds, QUERIES), at_most(rounds, SOURCES))
    if seen is None or seen.agreement < least or seen.agreement_of(graph, at_most(rounds, few)) < least_of_few:
        return None
    return seen.signs_of(graph, clusters)


def at_most(rounds: list[Clusters], count: int) -> Clusters:
    """The first of the rounds with at most so many clusters, or the last."""
    return next((each for each in rounds if each.count <= count), rounds[-1])


def winding_levels(graph: Graph, clusters: Clusters, smoothing: float) -> list[Level]:
    """Contraction of all pairs of clusters with the gradient of the winding number: labels and signs (N,) by round.

    Args:
        smoothing: in spacings of the clusters.
    """
    if clusters.count > PAIRED:
        return [(clusters.label, clusters.sign)]
    dipole = patches(graph, clusters.sign, clusters.label)
    coupling = fields(dipole, dipole.centre, dipole.vector, smoothing * dipole.spacing)[1].astype(np.float64)
    np.fill_diagonal(coupling, 0.0)
    rounds = contracted_dense((coupling + coupling.T) / 2, 1)
    return [(label[clusters.label], clusters.sign * sign[clusters.label]) for label, sign in rounds]


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
