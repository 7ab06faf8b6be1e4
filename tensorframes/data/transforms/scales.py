"""The scale of a whole corrupted cloud, estimated from a sample of its points.

The scale is the median over the cloud of the distance to the 8th distinct neighbour (`geometry.cloud_scale`). Here the
median is taken over a random sample of the points, with their neighbours in the whole cloud. Its relative standard
error is about 1.25 * 0.18 / sqrt(sample), where 0.18 is the relative standard deviation of the distance to the 8th
neighbour on an evenly sampled surface. Measured on generated shapes under random mixes: 0.6 % (root mean square),
including the interpolation between noise levels.

These functions are in NumPy and SciPy, unlike those of `geometry.scale` and `geometry.distances`: processes of the
loader measure each sample, in which a KD-tree of all points of the cloud is searched from a sample of them.
"""

import numpy as np

K = 8
SAMPLE = 2000
DEPTH = 32
"""Stored neighbours of each sampled point: enough for the 8th remaining one at shares of 0.4 or more."""


def estimated_scale(pos: np.ndarray, rng: np.random.Generator, sample: int = SAMPLE) -> float:
    """Scale of (N, 3) points, the median over at most `sample` of them; 1.0 if all points are equal."""
    from scipy.spatial import cKDTree

    distinct = pos[distinct_rows(pos)]
    if len(distinct) == 1:
        return 1.0
    query = distinct if len(distinct) <= sample else distinct[rng.choice(len(distinct), sample, replace=False)]
    k = min(K, len(distinct) - 1)
    return float(np.median(cKDTree(distinct).query(query, k=[k + 1])[0]))


def distinct_rows(pos: np.ndarray) -> np.ndarray:
    """Ascending rows of the first of each set of equal points among (N, 3).

    Only points with equal first coordinates are sorted. With noise there are few; sorting all points would dominate the
    time of a ScaleTable.
    """
    order = np.argsort(pos[:, 0], kind="stable")
    tied = np.flatnonzero(pos[order[1:], 0] == pos[order[:-1], 0])
    alike = np.unique(order[np.concatenate([tied, tied + 1])])
    keep = np.ones(len(pos), dtype=bool)
    keep[alike] = False
    keep[alike[np.unique(pos[alike], axis=0, return_index=True)[1]]] = True
    return np.flatnonzero(keep)


class ScaleTable:
    """Stored neighbours of a sample of points of a cloud at one noise level, for the scale of any thinning of it.

    The 8th neighbour in a thinned cloud is the 8th of the neighbours that remain.

    Args:
        pos: (N, 3) the noisy cloud. rng: selects the sample.
    """

    def __init__(self, pos: np.ndarray, rng: np.random.Generator):
        from scipy.spatial import cKDTree

        rows = distinct_rows(pos)
        chosen = rng.choice(len(rows), min(SAMPLE, len(rows)), replace=False)
        tree = cKDTree(pos[rows], balanced_tree=False, compact_nodes=False)  # built five times as fast
        distance, neighbour = tree.query(pos[rows[chosen]], k=min(DEPTH + 1, len(rows)))
        self.query = rows[chosen].astype(np.int32)
        self.distance = distance[:, 1:].astype(np.float32)
        self.neighbour = rows[neighbour[:, 1:]].astype(np.int32)

    def scale(self, mask: np.ndarray) -> float:
        """Scale of the cloud that consists of the rows where `mask` (N,) is true.

        A point with fewer than 8 remaining neighbours in the table counts as farther than all others, which does not
        change the median while such points are less than half.
        """
        enough = np.cumsum(mask[self.neighbour[mask[self.query]]], axis=1) >= K
        row = self.distance[mask[self.query]]
        eighth = np.where(enough.any(1), np.take_along_axis(row, enough.argmax(1)[:, None], 1)[:, 0], np.inf)
        middle = np.sort(eighth)[(len(eighth) - 1) // 2] if len(eighth) else np.inf
        return float(middle if np.isfinite(middle) else np.median(row[:, -1]))
