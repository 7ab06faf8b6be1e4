"""k nearest neighbours, their graph, and the graph of all pairs within a radius.

Three algorithms give the same result: `kdtree` (SciPy, on the CPU), `cells` (sorted cells, pure torch, on a GPU) and
`brute` (all distances). All work in float64, whatever the input. Positions that were rounded to float32 have lost
detail: 1e6 away from the origin its numbers are 0.0625 apart. Centre clouds before rounding them.
"""

import torch
from torch import Tensor

from tensorframes.geometry.brute import TOGETHER, brute_knn, brute_pairs
from tensorframes.geometry.cells import MOST_AXES, cells_knn
from tensorframes.geometry.checks import check_batch, check_count, check_points, clouds_in, per_cloud
from tensorframes.geometry.constant import constant
from tensorframes.geometry.distances import Distinct, distinct_points, squared_distance
from tensorframes.geometry.grid import grid_pairs
from tensorframes.geometry.kdtree import kdtree_knn, kdtree_pairs
from tensorframes.geometry.ragged import CHUNK, chunks
from tensorframes.geometry.replay import discrete


def _choose(method: str, pos: Tensor, queries: int) -> str:
    """The algorithm for this cloud: trees and cells lose to brute force where space has many dimensions, and cells
    where a GPU measures all distances at once."""
    if method not in ("auto", "kdtree", "cells", "brute"):
        raise ValueError(f"expected method auto, kdtree, cells or brute, got {method!r}")
    if method != "auto":
        return method
    if pos.device.type == "cuda":
        return "brute" if pos.shape[1] > MOST_AXES or len(pos) * queries <= TOGETHER else "cells"
    return "brute" if pos.shape[1] > 2 * MOST_AXES else "kdtree"


def _nearest_distinct(method: str, points: Tensor, batch: Tensor, query: Tensor, query_batch: Tensor, k: int) -> Tensor:
    if method == "cells":
        return cells_knn(points, batch, query, query_batch, k)
    return kdtree_knn(points.cpu(), batch.cpu(), query.cpu(), query_batch.cpu(), k).to(query.device)


def _check_query(query: Tensor, query_batch: Tensor | None, support: Tensor, batch: Tensor) -> Tensor:
    check_points(query, "query")
    if query.shape[1] != support.shape[1]:
        raise ValueError(f"expected query of shape (M, {support.shape[1]}), got {tuple(query.shape)}")
    if query.device != support.device:
        raise ValueError(f"expected query on {support.device}, got {query.device}")
    query_batch = check_batch(query_batch, query, "query_batch")
    asked = torch.unique_consecutive(query_batch)
    lonely = asked[~torch.isin(asked, batch)]
    if len(lonely):
        raise ValueError(f"expected support points in every cloud asked about, got none in cloud {int(lonely[0])}")
    return query_batch


def _copies(nearest: Tensor, groups: Distinct, points: Tensor, query: Tensor, k: int) -> Tensor:
    """Rows of the cloud (M, k) for distinct points (M, k), each with all its copies."""
    count = torch.where(nearest >= 0, groups.count[nearest], 0)
    square = squared_distance(query[:, None], points[nearest]).masked_fill(nearest < 0, torch.inf)
    # The k nearest rows belong to these points: up to the one with which there are k copies, and those as far as it.
    last = (count.cumsum(1) < k).sum(1, keepdim=True).clamp(max=k - 1)
    needed = int((square <= square.gather(1, last)).sum(1).max())
    nearest, count, square = nearest[:, :needed, None], count[:, :needed, None], square[:, :needed, None]
    copies = torch.arange(min(k, int(count.max())), device=nearest.device)
    rows = groups.rows[(groups.start[nearest] + copies).clamp(max=len(groups.rows) - 1)]
    rows = torch.where(copies < count, rows, len(groups.rows)).flatten(1)
    square = torch.where(copies < count, square, torch.inf).flatten(1)
    by_row = torch.sort(rows, dim=1)
    by_distance = torch.sort(square.gather(1, by_row.indices), dim=1, stable=True).indices[:, :k]
    rows = by_row.values.gather(1, by_distance)
    rows = torch.where(rows < len(groups.rows), rows, -1)
    return torch.nn.functional.pad(rows, (0, k - rows.shape[1]), value=-1)


def _expand(nearest: Tensor, groups: Distinct, points: Tensor, query: Tensor, k: int) -> Tensor:
    rows = torch.where(nearest >= 0, groups.first[nearest], -1)
    again = ((groups.count[nearest] > 1) & (nearest >= 0)).any(1).nonzero().squeeze(1)
    for chunk in chunks(again, max(1, CHUNK // (k * k))):
        rows[chunk] = _copies(nearest[chunk], groups, points, query[chunk], k)
    return rows


def _self_first(rows: Tensor) -> Tensor:
    """Move row i to the front of line i: among copies of one point each is its own first neighbour."""
    me = torch.arange(len(rows), device=rows.device)
    wrong = (rows[:, 0] != me).nonzero().squeeze(1)
    if len(wrong):
        line, own = rows[wrong], wrong[:, None]
        is_own = line == own
        is_own[:, -1] |= ~is_own.any(1)
        order = torch.sort((~is_own).to(torch.uint8), dim=1, stable=True).indices
        rows[wrong] = torch.cat([own, line.gather(1, order)[:, 1:]], dim=1)
    return rows


@discrete
@constant
@torch.no_grad()
def knn(
    support: Tensor,
    k: int,
    query: Tensor | None = None,
    batch: Tensor | None = None,
    query_batch: Tensor | None = None,
    method: str = "auto",
) -> Tensor:
    """The k nearest rows of `support` for every row of `query`, nearest first, equal distances ordered by row.

    Without `query` the points are the queries, and each is its own first neighbour, also among copies. Copies of
    a point are neighbours at distance zero. Where a cloud has fewer than k points, the first neighbour is repeated.

    Args:
        support: (N, d) finite coordinates. query: (M, d), the support itself if None.
        k: number of neighbours, at least 1.
        batch, query_batch: (N,), (M,) the cloud of each row, ascending; only points of one cloud are neighbours.
        method: kdtree, cells, brute, or auto: the kd-tree on a CPU, cells on a GPU, brute force in many dimensions.
    Returns:
        (M, k) int64 rows of `support`.
    Raises:
        ValueError: wrong shapes, NaN, a coordinate beyond 1e150, a batch out of order, k < 1, a query in a cloud
            without support, an unknown method, or cells in more than 6 dimensions.
    """
    check_count(k)
    check_points(support, "support")
    batch = check_batch(batch, support)
    if query is None and query_batch is not None:
        raise ValueError("expected query_batch together with query, got query_batch alone")
    asked_batch = batch if query is None else _check_query(query, query_batch, support, batch)
    points = support.detach().double()
    asked = points if query is None else query.detach().double()
    if len(asked) == 0:
        return torch.empty((0, k), dtype=torch.long, device=support.device)
    chosen = _choose(method, support, len(asked))
    if chosen == "brute":
        rows = brute_knn(points, batch, asked, asked_batch, k)
    else:
        groups = distinct_points(points, batch)
        unique = points if len(groups.first) == len(points) else points[groups.first]
        nearest = _nearest_distinct(chosen, unique, batch[groups.first], asked, asked_batch, k)
        rows = nearest if len(unique) == len(points) else _expand(nearest, groups, unique, asked, k)
    if query is None:
        rows = _self_first(rows)
    return torch.where(rows >= 0, rows, rows[:, :1])


def knn_graph(pos: Tensor, k: int, batch: Tensor | None = None, method: str = "auto") -> Tensor:
    """(2, E) edges from each of the k nearest other rows of pos (N, d), row 0, to the point, row 1, sorted by receiver.

    E = N k, fewer where a cloud has k points or less. No self loops.
    """
    check_count(k)
    rows = knn(pos, k + 1, batch=batch, method=method)
    receiver = torch.arange(len(pos), device=pos.device)[:, None].expand(-1, k)
    edges = torch.stack([rows[:, 1:].flatten(), receiver.flatten()])
    return edges[:, edges[0] != edges[1]]


@constant
@torch.no_grad()
def radius_graph(pos: Tensor, r: Tensor | float, batch: Tensor | None = None, method: str = "auto") -> Tensor:
    """(2, E) edges j -> i for all pairs of one cloud with ``0 < |x_j - x_i| <= r`` or copies, both ways, no self loops.

    Sorted by receiver (row 1), then sender (row 0). r: a length, or one for each cloud (B,). E may be quadratic.
    """
    check_points(pos)
    batch = check_batch(batch, pos)
    radius = per_cloud(r, batch, "r")[: clouds_in(batch)]
    points = pos.detach().double()
    chosen = _choose(method, pos, len(pos))
    if chosen == "brute":
        return brute_pairs(points, batch, radius)
    if chosen == "cells":
        return grid_pairs(points, batch, radius)
    return kdtree_pairs(points.cpu(), batch.cpu(), radius.cpu()).to(pos.device)
