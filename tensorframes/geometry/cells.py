"""Nearest neighbours from one sort: cells of every size are contiguous ranges of the points in Morton order.

Points are sorted by the bits of their cell coordinates, interleaved. A cell of the finest grid, doubled l times, is
then a contiguous range of the sorted points, found by searchsorted. Every query starts at the finest level at which its
own cell is populated and searches the 3^d block of cells around it. The k nearest points found are the neighbours if
the k-th distance is shorter than the distance to the block's border; otherwise the query goes one level up.

Pure torch, for the GPU. Up to 6 dimensions. Cells resolve 1e-6 of a cloud (in three dimensions). Denser clusters, such
as half of a cloud within a millionth of its extent, are left to the kd-tree, so that time stays nearly linear; a few
queries among them to brute force.
"""

from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor

from tensorframes.geometry.brute import brute_knn
from tensorframes.geometry.distances import nearest, squared_distance
from tensorframes.geometry.kdtree import kdtree_knn
from tensorframes.geometry.ragged import chunks

CHUNK = 1 << 25  # numbers in one temporary tensor, 256 MiB of float64: a GPU waits for each further chunk
MOST_AXES = 6
CROWD = 4  # queries with more than CROWD 4^d k candidates are left to the kd-tree
MARGIN = 1e-6  # of the finest cell: more than rounding can move a point across a border


class _Morton:
    """The points in Morton order, with the box of each cloud that is divided into cells.

    The box spans three times the middle 90 % of the cloud. Points outside belong to the outermost cells, which have no
    outer border. With the bounding box, a single point far away would put the rest of the cloud into one cell.
    """

    def __init__(self, points: Tensor, batch: Tensor) -> None:
        self.dim = points.shape[1]
        clouds, number = torch.unique_consecutive(batch, return_inverse=True)
        self.bits = min(30, (62 - len(clouds).bit_length()) // self.dim)
        self.clouds = clouds
        self._spread = spread_table(self.dim, self.bits, points.device)
        self.low, self.width = self._frame(points, number, len(clouds))
        key = self.key(self.place(points, number), number)
        self.keys, self.order = torch.sort(key)

    def _frame(self, points: Tensor, number: Tensor, clouds: int) -> tuple[Tensor, Tensor]:
        count = torch.bincount(number, minlength=clouds)
        first = count.cumsum(0) - count
        low, high, core_low, core_high = [], [], [], []
        for axis in points.unbind(1):
            order = torch.sort(axis).indices
            line = axis[order[torch.sort(number[order], stable=True).indices]]
            low.append(line[first])
            high.append(line[first + count - 1])
            core_low.append(line[first + (count - 1) // 20])
            core_high.append(line[first + count - 1 - (count - 1) // 20])
        core = (torch.stack(core_high, 1) - torch.stack(core_low, 1)).amax(1)
        whole = (torch.stack(high, 1) - torch.stack(low, 1)).amax(1)
        side = torch.where(core > 0, 3 * core, torch.where(whole > 0, whole, 1.0))
        centre = (torch.stack(core_low, 1) + torch.stack(core_high, 1)) / 2
        corner = torch.where((core > 0)[:, None], centre - side[:, None] / 2, torch.stack(low, 1))
        return corner, side / 2**self.bits

    def place(self, points: Tensor, number: Tensor) -> Tensor:
        """(n, d) coordinates of the finest cells."""
        place = (points - self.low[number]) / self.width[number][:, None]
        return place.clamp(0, 2**self.bits - 1).floor().long()

    def spread(self, place: Tensor) -> Tensor:
        """The bits of every coordinate, d apart: interleaving is then adding up the axes, shifted by their number."""
        spread = self._spread[place & 1023]
        for low in range(10, self.bits, 10):
            spread = spread | (self._spread[(place >> low) & 1023] << (low * self.dim))
        return spread

    def key(self, place: Tensor, number: Tensor) -> Tensor:
        spread = self.spread(place) << torch.arange(self.dim, device=place.device)
        return spread.sum(1) + (number << (self.dim * self.bits))

    def stretch(self, key: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """(start, count) in `order` of the cells at `level` that hold the finest cells `key`."""
        shift = level * self.dim
        begin = (key >> shift) << shift
        start = torch.searchsorted(self.keys, begin)
        return start, torch.searchsorted(self.keys, begin + (1 << shift)) - start

    def populated(self, key: Tensor, need: int) -> Tensor:
        """The finest level at which the cell of each key holds `need` points, or the whole cloud: by bisection."""
        low, high = torch.zeros_like(key), torch.full_like(key, self.bits)
        for _ in range(self.bits.bit_length()):
            middle = (low + high) // 2
            enough = self.stretch(key, middle)[1] >= need
            low, high = torch.where(enough, low, (middle + 1).clamp(max=self.bits)), torch.where(enough, middle, high)
        return high

    def block(self, place: Tensor, number: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """(start, count), each (n, 3^d): the cell at `level` around every finest cell `place` and all that touch it."""
        steps = torch.arange(-1, 2, device=place.device)
        cell = (place >> level[:, None])[..., None] + steps
        inside = (cell >= 0) & (cell < (1 << (self.bits - level))[:, None, None])
        spread = self.spread(cell.clamp(min=0) << level[:, None, None])
        key, real = (number << (self.dim * self.bits))[:, None], torch.ones_like(number, dtype=torch.bool)[:, None]
        for axis in range(self.dim):
            key = (key[..., None] + (spread[:, axis] << axis)[:, None]).flatten(1)
            real = (real[..., None] & inside[:, axis][:, None]).flatten(1)
        start, count = self.stretch(key, level[:, None])
        return start, torch.where(real, count, 0)

    def border(self, query: Tensor, place: Tensor, number: Tensor, level: Tensor) -> Tensor:
        """(n,) distance from each query to the nearest border of its block beyond which there may be points."""
        cell, last = place >> level[:, None], (1 << (self.bits - level))[:, None] - 1
        side = (self.width[number] * 2.0**level)[:, None]
        inside = query - self.low[number]
        below = torch.where(cell - 1 > 0, inside - (cell - 1) * side, torch.inf)
        above = torch.where(cell + 1 < last, (cell + 2) * side - inside, torch.inf)
        return torch.minimum(below, above).amin(1) - MARGIN * self.width[number]


@cache
def spread_table(dim: int, bits: int, device: torch.device) -> Tensor:
    """(1024,) numbers with the lowest bits of 0 .. 1023 moved ``dim`` apart."""
    with torch.inference_mode(False):
        numbers = torch.arange(1024, device=device)
        spread = torch.zeros_like(numbers)
        for bit in range(min(10, bits)):
            spread |= ((numbers >> bit) & 1) << (bit * dim)
    return spread


def _entries(start: Tensor, count: Tensor, size: int) -> Tensor:
    """(n, size) positions of the ranges (n, s) of each line, one after the other, -1 beyond the last."""
    end = count.cumsum(1)
    column = torch.arange(size, device=start.device).expand(len(start), -1)
    which = torch.searchsorted(end, column.contiguous(), right=True).clamp(max=count.shape[1] - 1)
    at = column + (start - end + count).gather(1, which)
    return torch.where(column < end[:, -1:], at, -1)


def cells_knn(points: Tensor, batch: Tensor, query: Tensor, query_batch: Tensor, k: int) -> Tensor:
    """(M, k) rows of `points` (distinct, float64), nearest first, -1 where a cloud has fewer than k."""
    if points.shape[1] > MOST_AXES:
        raise ValueError(f"expected at most {MOST_AXES} dimensions for method cells, got {points.shape[1]}")
    search = _Search(points, batch, query, query_batch, k)
    todo = torch.arange(len(query), device=query.device)
    while len(todo):
        size = max(1, CHUNK // 3 ** points.shape[1])
        todo = torch.cat([search.solve(rows) for rows in chunks(todo, size)])
        search.level[todo] += 1
    return search.found


class _Search:
    """The state of the search: each query's level, and the neighbours found so far."""

    def __init__(self, points: Tensor, batch: Tensor, query: Tensor, query_batch: Tensor, k: int) -> None:
        self.points, self.batch, self.query, self.query_batch, self.k = points, batch, query, query_batch, k
        self.morton = morton = _Morton(points, batch)
        self.number = torch.searchsorted(morton.clouds, query_batch)
        self.place = morton.place(query, self.number)
        self.level = morton.populated(morton.key(self.place, self.number), max(1, k // 2))
        self.found = torch.full((len(query), k), -1, dtype=torch.long, device=query.device)

    def solve(self, rows: Tensor) -> Tensor:
        """Find the neighbours of the queries `rows` (n,) whose level proves them; return the other rows."""
        place, number, level = self.place[rows], self.number[rows], self.level[rows]
        start, count = self.morton.block(place, number, level)
        border = self.morton.border(self.query[rows], place, number, level)
        total = count.sum(1)
        # In clusters denser than the finest cells, and far away from dense ones, cells would take quadratic time.
        crowded = total > CROWD * 4**self.morton.dim * self.k
        if bool(crowded.any()):
            self._ask_others(rows[crowded])
        done = crowded.clone()
        light = (~crowded).nonzero().squeeze(1)
        light = light[torch.sort(total[light]).indices]
        for part in self._similar(light, total):
            size = max(self.k, int(total[part[-1]]))
            at = _entries(start[part], count[part], size)
            candidates = self.morton.order[at]
            square = squared_distance(self.query[rows[part], None], self.points[candidates])
            neighbours, square = nearest(square.masked_fill(at < 0, torch.inf), candidates, self.k)
            done[part] = (square[:, -1] < border[part].clamp(min=0).square()) | torch.isinf(border[part])
            self.found[rows[part]] = neighbours  # of queries that are not done: overwritten at the next level
        return rows[~done]

    def _similar(self, lines: Tensor, total: Tensor) -> Iterator[Tensor]:
        """Lines, ascending by total, in parts of at most CHUNK entries, padded to the largest total of each.

        Parts whose totals differ by at most a factor of two have little padding; all lines that are left are one part
        where they fit.
        """
        totals, begin = total[lines], 0
        most = max(self.k, int(totals[-1])) if len(lines) else 0
        while begin < len(lines):
            end = len(lines)
            if (end - begin) * most > CHUNK:
                size = 2 * max(self.k, int(totals[begin]))
                end = min(int(torch.searchsorted(totals, size, right=True)), begin + max(1, CHUNK // size))
            yield lines[begin:end]
            begin = end

    def _ask_others(self, rows: Tensor) -> None:
        """Neighbours of the queries `rows` by brute force if they are few, and by the kd-tree otherwise."""
        if len(rows) * len(self.points) <= CHUNK:
            asked, batch = self.query[rows], self.query_batch[rows]
            self.found[rows] = brute_knn(self.points, self.batch, asked, batch, self.k)
            return
        support, support_batch = self.points.cpu(), self.batch.cpu()
        query, query_batch = self.query[rows].cpu(), self.query_batch[rows].cpu()
        self.found[rows] = kdtree_knn(support, support_batch, query, query_batch, self.k).to(rows.device)
