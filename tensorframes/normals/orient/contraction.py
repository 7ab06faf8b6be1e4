"""Signs from pairwise couplings: clusters merged along their strongest couplings, whose sums decide the signs.

Couplings J of points are evidence on their relative signs: s_i s_j = sign(J_ij). A tree of strongest edges (Hoppe et
al. 1992) trusts each edge alone, and one wrong edge flips a whole part. Here the couplings between two clusters are
added, with the signs inside the clusters, before the clusters are merged: edges that are wrong are outvoted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Clusters:
    """Clusters of N points, with signs relative within each, and the couplings between them.

    label: (N,) cluster of each point, 0..count-1.
    sign: (N,) 1.0 or -1.0.
    count: number of clusters.
    a, b, coupling: (E,) pairs a < b of clusters, each once, and the sum of J_ij s_i s_j over their points.
    """

    label: Indices
    sign: Floats
    count: int
    a: Indices
    b: Indices
    coupling: Floats


def singletons(count: int, a: Indices, b: Indices, coupling: Floats) -> Clusters:
    """Every point its own cluster, with couplings (E,) of the pairs a < b, each once."""
    return Clusters(np.arange(count), np.ones(count), count, a, b, coupling)


def contracted(clusters: Clusters, most: int, patience: float) -> list[Clusters]:
    """The clusters, merged round after round until there are at most ``most`` or no couplings; all rounds' clusters.

    In every round each cluster merges with the one that it is most strongly coupled to (Boruvka's algorithm), unless
    that has couplings of which ``patience`` times the strongest is stronger: then it waits. When these have merged,
    their couplings to it are added.

    Args:
        patience: in [0, 1). 0: nobody waits, and clusters are about equally large.
    """
    rounds = [clusters]
    while rounds[-1].count > most:
        now = rounds[-1]
        best = _strongest(now, patience)
        if len(best) == 0:
            break
        rounds.append(_merged(now, best))
    return rounds


def at_most(rounds: list[Clusters], count: int) -> Clusters:
    """The first of the rounds with at most so many clusters, or the last."""
    return next((each for each in rounds if each.count <= count), rounds[-1])


def _strongest(clusters: Clusters, patience: float) -> Indices:
    """The pairs that merge; among equally strong ones the first counts."""
    strength = np.abs(clusters.coupling)
    order = np.argsort(-strength, kind="stable")
    order = order[strength[order] > 0]
    ends = np.stack([clusters.a[order], clusters.b[order]], axis=1).ravel()
    first = np.full(clusters.count, -1)
    first[ends[::-1]] = np.arange(len(ends))[::-1]  # of several values for one place the last one stays
    found = np.flatnonzero(first >= 0)
    pairs = order[first[found] // 2]
    strongest = np.zeros(clusters.count)
    strongest[found] = strength[pairs]
    chosen = np.zeros(len(strength), dtype=bool)
    chosen[pairs] = True
    best = np.flatnonzero(chosen)
    most = np.maximum(strongest[clusters.a[best]], strongest[clusters.b[best]])
    return best[strength[best] > patience * most]


def _merged(clusters: Clusters, pairs: Indices) -> Clusters:
    """Clusters joined along pairs that form a forest."""
    a, b, count = clusters.a, clusters.b, clusters.count
    label, sign = forest_signs(count, a[pairs], b[pairs], clusters.coupling[pairs])
    fewer = int(label.max()) + 1
    coupling, a, b = clusters.coupling * sign[a] * sign[b], label[a], label[b]
    apart = a != b
    low, high = np.minimum(a, b)[apart], np.maximum(a, b)[apart]
    total = coo_array((coupling[apart], (low, high)), shape=(fewer, fewer)).tocsr().tocoo()
    row, column = (each.astype(np.int64) for each in total.coords)
    return Clusters(
        label[clusters.label], clusters.sign * sign[clusters.label], fewer, row, column, np.asarray(total.data)
    )


def forest_signs(count: int, a: Indices, b: Indices, coupling: Floats) -> tuple[Indices, Floats]:
    """Trees (count,) of a forest of pairs (a, b), and signs (count,) that agree with sign(J) on each of its edges.

    The first node of each tree has the sign 1. Each node is doubled, once for each sign, and an edge joins the copies
    that agree with it; then signs are equal where the copies lie in one component.
    """
    same = coupling >= 0
    from_ends, to_ends = np.concatenate([a, a + count]), np.concatenate([b + count * ~same, b + count * same])
    graph = csr_array((np.ones(len(from_ends)), (from_ends, to_ends)), shape=(2 * count, 2 * count))
    side = connected_components(graph, directed=False)[1]
    tree = csr_array((np.ones(len(a)), (a, b)), shape=(count, count))
    label = connected_components(tree, directed=False)[1].astype(np.int64)
    first = np.unique(label, return_index=True)[1]
    return label, np.where(side[:count] == side[first][label], 1.0, -1.0)


def contracted_dense(coupling: Floats, most: int) -> list[tuple[Indices, Floats]]:
    """The same of all pairs, J (P, P) symmetric with a zero diagonal: labels and signs (P,) after every round."""
    label, sign = np.arange(len(coupling)), np.ones(len(coupling))
    rounds = [(label, sign)]
    while len(coupling) > most:
        strength = np.abs(coupling)
        best, rows = strength.argmax(axis=1), np.arange(len(coupling))
        some = strength[rows, best] > 0
        if not some.any():
            break
        low, high = np.minimum(rows, best)[some], np.maximum(rows, best)[some]
        low, high = np.unique(np.stack([low, high]), axis=1)
        now, turn = forest_signs(len(coupling), low, high, coupling[low, high])
        coupling = _summed(coupling, now, turn)
        label, sign = now[label], sign * turn[label]
        rounds.append((label, sign))
    return rounds


def _summed(coupling: Floats, label: Indices, sign: Floats) -> Floats:
    """Couplings (P, P) added over clusters, with the diagonal set to zero."""
    select = csr_array((sign, (label, np.arange(len(label)))), shape=(int(label.max()) + 1, len(label)))
    total = np.asarray((select @ (select @ coupling).T).T)
    np.fill_diagonal(total, 0.0)
    return total
