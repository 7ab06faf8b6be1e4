"""Candidate signs from local and global evidence, and the selection of the best.

Candidates, each from the neighbour graph:

- the minimum spanning tree of Hoppe et al.;
- winding: contraction with couplings that average noise, down to patches; then contraction of all pairs of patches with
  the gradient of the winding number, which does not flip whole parts; in strong noise with several smoothings;
- dipoles, unless noise is too strong: contraction of the graph with couplings that see sharp edges and thin sheets.

In each, clusters that are inside out are flipped; the energy E then measures how far the surface is from a closed one
(``energy``). The best candidate has the least sum of E and VIOLATED times the share of the couplings that its signs
violate. Only this share counts if no E is small enough for a closed surface.

If the least E is not small, the position of a sensor is searched (``sensor``), and all normals are turned towards it:
parts behind others have no couplings to these. If there is none, and noise is not too strong, a viewpoint is searched
that the whole surface faces (``view``), as of a range scan with another spacing, and clusters are flipped towards it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tensorframes.normals.orient.contraction import Clusters, at_most, contracted, contracted_dense, singletons
from tensorframes.normals.orient.energy import QUERIES, SOURCES, Field, Level, Signs
from tensorframes.normals.orient.graph import Graph, couplings, spanning_tree_signs
from tensorframes.normals.orient.sensor import find_sensor
from tensorframes.normals.orient.view import best_view
from tensorframes.normals.orient.winding import fields, patches

Floats = NDArray[np.float64]

SHARP, BLUNT = 0.3, 3.0
"""Smoothing of the couplings for little noise and for any, in spacings."""

PATIENCE = 0.5
"""See ``contracted``; for couplings that see sharp edges."""

COARSE = ((3000, 1.0), (3000, 2.0), (1000, 1.0))
"""Largest number of patches that all interact, and the smoothing of their interaction, in spacings of the patches; the
first alone if there is little noise."""

PAIRED = 6000
"""Number of unconnected parts above which these are not all paired: memory is quadratic in it."""

ENOUGH = 0.03
"""An E that no other candidate need try to lower."""

VIOLATED = 8.0
"""Weight of the share of the couplings that a candidate's signs violate, added to E; 1 in strong noise, where couplings
are less reliable."""

OPEN = 0.5
"""Least E of all candidates above which the surface encloses nothing: then the couplings alone choose."""

CLOSED = 0.3
"""Largest E of a candidate that is preferred to a sensor within the cloud that may be none."""

SEEN = ((128, 0.975), (32, 0.9))
"""Numbers of clusters, and the least agreement of each with a viewpoint that the signs are taken from."""


def best_signs(graph: Graph, noisy: bool) -> Signs:
    """The best candidate, the first of several; the first with an E below ENOUGH ends the search. The signs that a
    sensor or a viewpoint sees, if there is one and no E is below ENOUGH.

    Args:
        noisy: the noise is too strong for ``sharpening``.
    """
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
    sensed = sensor_signs(graph, field, min(found, key=lambda each: each.energy))
    if sensed is not None:
        return sensed
    seen = None if noisy else seen_signs(graph, rounds)
    if seen is not None:
        return replace(field.judged(graph, [(np.zeros(len(graph.pos), dtype=np.int64), seen)]), whole=True)
    energy = np.array([each.energy for each in found])
    violated = np.array([violated_share(rounds[0], each.sign) for each in found])
    weight = 1.0 if noisy else VIOLATED
    return found[int(np.argmin(weight * violated + (energy if energy.min() <= OPEN else 0.0)))]


def violated_share(points: Clusters, sign: Floats) -> float:
    """The share of the couplings J_ij of points, by their strengths, that signs (N,) violate: J_ij s_i s_j < 0."""
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


def sensor_signs(graph: Graph, field: Field, best: Signs) -> Signs | None:
    """Signs toward the sensor. None without one, or if the points may as well be a closed surface around it: they are
    no more even in direction than in space, and the best candidate is closed."""
    sensor = find_sensor(graph.pos)
    if sensor is None or (best.closed and best.energy <= CLOSED and not sensor.scanned):
        return None
    sign, side_known = sensor.signs_of(graph.pos, graph.normal)
    judged = field.judged(graph, [(np.zeros(len(graph.pos), dtype=np.int64), sign)])
    return replace(judged, sign=sign, closed=False, whole=True, facing=side_known and sensor.scanned)


def seen_signs(graph: Graph, rounds: list[Clusters]) -> Floats | None:
    """Signs (N,) of clusters toward the viewpoint that the whole surface faces; None if there is none."""
    (many, least), (few, least_of_few) = SEEN
    clusters = at_most(rounds, many)
    seen = best_view(graph, clusters, at_most(rounds, QUERIES), at_most(rounds, SOURCES))
    if seen is None or seen.agreement < least or seen.agreement_of(graph, at_most(rounds, few)) < least_of_few:
        return None
    return seen.signs_of(graph, clusters)


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
