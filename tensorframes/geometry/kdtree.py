"""Neighbours and samples by SciPy's kd-tree, the algorithms of the CPU. Points are distinct: it is quadratic in equal
ones."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tensorframes.geometry.ragged import CHUNK

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

BLOCK = 512  # points whose balls are queried at once; queries of points that an earlier one excludes are wasted
ENTRIES = 1 << 18  # of these balls; as Python integers they take about 40 bytes each
ROUNDING = 1e-13  # distances closer than this, relatively, may be a tie: the tree's own rounding hides it


def nearest_in(
    tree: cKDTree, query: NDArray, ranks: Sequence[int], within: float = np.inf
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distances and rows (M, len(ranks)) of the points of a tree that are the first, second, ... nearest to (M, d).

    Ranks beyond the points ``within`` the distance have the distance infinity and the number of points as row.

    In as many threads as torch has. They end before an exception leaves this function: SciPy's own (``workers``) go on
    after a keyboard interrupt, and read a tree that is freed.
    """
    search = partial(tree.query, k=ranks, distance_upper_bound=within)
    threads = min(torch.get_num_threads(), len(query))
    if threads < 2:
        found: tuple[NDArray[np.float64], NDArray[np.int64]] = search(query)
        return found
    with ThreadPoolExecutor(threads) as pool:
        distance, row = zip(*pool.map(search, np.array_split(query, threads)), strict=True)
    return np.concatenate(distance), np.concatenate(row)


def _segments(batch: Tensor, count: int) -> NDArray[np.int64]:
    return np.searchsorted(batch.numpy(), np.arange(count + 1))


def _squared(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.square(x[..., 0] - y[..., 0])
    for axis in range(1, x.shape[-1]):
        total = total + np.square(x[..., axis] - y[..., axis])
    return total


def _by_distance_then_row(rows: NDArray[np.int64], square: NDArray[np.float64]) -> NDArray[np.int64]:
    by_row = np.argsort(rows, axis=1)
    by_distance = np.argsort(np.take_along_axis(square, by_row, 1), axis=1, kind="stable")
    return np.take_along_axis(rows, np.take_along_axis(by_row, by_distance, 1), 1)


def _one_cloud(points: NDArray[np.float64], query: NDArray[np.float64] | None, k: int) -> NDArray[np.int64]:
    """(M, min(k, n)) nearest first, equal distances by row: a query that ends within a tie is repeated with more.

    Without queries the points are, and are asked leaf by leaf, so that those of one leaf find its surroundings in the
    cache: 100,000 points in no order take two thirds of the time.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(points)
    query, todo = (points, tree.indices) if query is None else (query, np.arange(len(query)))
    wanted, keep = min(k + 1, len(points)), min(k, len(points))
    found = np.empty((len(query), keep), dtype=np.int64)
    while len(todo):
        left = []
        for rows in np.array_split(todo, -(-len(todo) * wanted // CHUNK)):
            distance, nearest = nearest_in(tree, query[rows], range(1, wanted + 1))
            found[rows] = nearest[:, :keep]
            tied = (distance[:, :-1] >= (1 - ROUNDING) * distance[:, 1:]).any(1)
            exact = _by_distance_then_row(nearest[tied], _squared(query[rows[tied], None], points[nearest[tied]]))
            found[rows[tied]] = exact[:, :keep]
            open_end = distance[:, -1] <= distance[:, keep - 1] * (1 + ROUNDING)
            left.append(rows[open_end & (wanted < len(points))])
        todo, wanted = np.concatenate(left), min(2 * wanted, len(points))
    return found


def kdtree_knn(points: Tensor, batch: Tensor, query: Tensor, query_batch: Tensor, k: int) -> Tensor:
    """(M, k) rows of `points` (distinct, float64, CPU), -1 where a cloud has fewer than k."""
    found = np.full((len(query), k), -1, dtype=np.int64)
    count = int(query_batch[-1]) + 1 if len(query) else 0
    ends, query_ends = _segments(batch, count), _segments(query_batch, count)
    p, q = points.numpy(), None if query is points else query.numpy()
    for cloud in range(count):
        rows, asked = slice(*ends[cloud : cloud + 2]), slice(*query_ends[cloud : cloud + 2])
        if asked.start < asked.stop:
            nearest = _one_cloud(p[rows], None if q is None else q[asked], k)
            found[asked, : nearest.shape[1]] = nearest + rows.start
    return torch.from_numpy(found)


def kdtree_pairs(points: Tensor, batch: Tensor, radius: Tensor) -> Tensor:
    """(2, E) all pairs i != j of one cloud with |x_i - x_j| <= radius of that cloud (B,), as (j, i), by i, then j."""
    from scipy.spatial import cKDTree

    ends, p = _segments(batch, len(radius)), points.numpy()
    edges = [np.empty((0, 2), dtype=np.int64)]
    for cloud, r in enumerate(radius.tolist()):
        cloud_points = p[ends[cloud] : ends[cloud + 1]]
        pairs = cKDTree(cloud_points).query_pairs(r * (1 + ROUNDING), output_type="ndarray").astype(np.int64)
        near = _squared(cloud_points[pairs[:, 0]], cloud_points[pairs[:, 1]]) <= r * r
        edges.append(pairs[near] + ends[cloud])
    half = np.concatenate(edges).T
    both = np.concatenate([half, half[::-1]], axis=1)
    return torch.from_numpy(np.ascontiguousarray(both[:, np.lexsort((both[0], both[1]))]))


def kdtree_independent_set(points: Tensor, batch: Tensor, radius: Tensor, rank: Tensor) -> Tensor:
    """(N,) whether each of `points` (distinct, float64, CPU) is selected, in the order of rank (N,), the highest first,
    where each selected point excludes those of lower rank within `radius` (B,) of it."""
    ends, place, number = _segments(batch, len(radius)), points.numpy(), rank.numpy()
    selected = np.zeros(len(points), dtype=bool)
    for cloud, length in enumerate(radius.tolist()):
        rows = slice(*ends[cloud : cloud + 2])
        if rows.start < rows.stop:
            selected[rows] = _greedy(place[rows], length, number[rows])
    return torch.from_numpy(selected)


def _greedy(points: NDArray[np.float64], radius: float, rank: NDArray[np.int64]) -> NDArray[np.bool_]:
    from scipy.spatial import cKDTree

    tree, limit, reach = cKDTree(points), radius * radius, radius * (1 + ROUNDING)
    selected, is_open = np.zeros(len(points), dtype=bool), np.ones(len(points), dtype=bool)
    todo = np.argsort(-rank)
    some_equal = bool((np.diff(rank[todo]) == 0).any())
    while len(todo := todo[is_open[todo]]):
        now = todo[:BLOCK]
        size = tree.query_ball_point(points[now], reach, return_length=True)
        now = now[: max(1, int(np.searchsorted(size.cumsum(), ENTRIES, side="right")))]
        todo, size = todo[len(now) :], size[: len(now)]
        around = np.concatenate(
            [np.asarray(ball, dtype=np.int64) for ball in tree.query_ball_point(points[now], reach)]
        )
        near = _squared(points[around], points[now].repeat(size, 0)) <= limit
        ends = size.cumsum()
        for point, start, end in zip(now.tolist(), (ends - size).tolist(), ends.tolist(), strict=True):
            if is_open[point]:
                ball = around[start:end][near[start:end]]
                is_open[ball[rank[ball] < rank[point]] if some_equal else ball] = False
                selected[point] = True
                is_open[point] = False
    return selected
