"""Points in the cells of a grid, by sort and searchsorted: any dimension, any extent, memory linear in the points."""

import math

import torch
from torch import Tensor

from tensorframes.geometry.distances import squared_distance
from tensorframes.geometry.ragged import CHUNK, chunks, chunks_by_total, enumerate_ranges

SLACK = 1e-3  # cells are this much wider or narrower than the geometry asks for, far above what rounding can move
WIDEST = 2.0**38  # cells along an axis; with fewer than 2^24 points keys stay within 63 bits
EMPTY = 64.0  # cells left of an empty stretch where a cloud has more than WIDEST; more than any reach


class Grid:
    """The occupied cells of one grid for each cloud, cell widths (B,).

    A cell's key is built axis by axis: (cloud, c_0) that occur are numbered, then (that number, c_1) that occur, and so
    on. A neighbour that does not exist is dropped as soon as a leading coordinate is missing. Keys never overflow,
    however far apart the points are: where an axis has more than WIDEST cells, empty stretches are shortened.

    Attributes:
        cell: (N,) the occupied cell of each point. count: (C,) points in each cell.
    """

    def __init__(self, points: Tensor, batch: Tensor, width: Tensor) -> None:
        place = (points - points.amin(0)) / width[batch][:, None] if len(points) else points
        if len(points) and not float(place.max()) <= WIDEST:
            place = torch.stack([_shortened(axis, batch, width[batch]) for axis in points.unbind(1)], dim=1)
        coordinates = place.floor().long()
        self._span = coordinates.amax(0) + 1 if len(points) else coordinates.new_ones(points.shape[1])
        self._tables, self._batches = [], torch.unique_consecutive(batch)
        number = torch.searchsorted(self._batches, batch)
        for axis in range(points.shape[1]):
            keys, number = torch.unique(number * self._span[axis] + coordinates[:, axis], return_inverse=True)
            self._tables.append(keys)
        self.cell = number
        self.count = torch.bincount(number, minlength=len(self._tables[-1]))

    def neighbours(self, reach: int) -> Tensor:
        """(2, P) pairs of occupied cells of one cloud that differ by at most `reach` on every axis.

        Sorted by the first; each cell is its own neighbour too.
        """
        cells = torch.arange(len(self.count), device=self.count.device)
        size = max(1, CHUNK // (2 * reach + 1) ** min(3, len(self._tables)))
        pairs = [self._around(chunk, reach) for chunk in chunks(cells, size)]
        return torch.cat([cells.new_empty((2, 0)), *pairs], dim=1)

    def _around(self, cells: Tensor, reach: int) -> Tensor:
        wanted, prefix = self._unravel(cells)
        line = torch.arange(len(cells), device=cells.device)
        for axis, table in enumerate(self._tables):
            place, base = wanted[line, axis], prefix * self._span[axis]
            first = torch.searchsorted(table, base + (place - reach).clamp(min=0))
            last = torch.searchsorted(table, base + (place + reach).clamp(max=self._span[axis] - 1), right=True)
            origin, prefix = enumerate_ranges(first, last - first)
            line = line[origin]
        return torch.stack([cells[line], prefix])

    def _unravel(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates (n, d) of cells (n,), and the number of the cloud of each."""
        number, coordinates = cells, []
        for axis in range(len(self._tables) - 1, -1, -1):
            key = self._tables[axis][number]
            coordinates.append(key % self._span[axis])
            number = key // self._span[axis]
        return torch.stack(coordinates[::-1], dim=1), number


def _shortened(values: Tensor, batch: Tensor, width: Tensor) -> Tensor:
    """Values (N,) along an axis in widths (N,), from each cloud's smallest, no gap between neighbours above EMPTY."""
    order = torch.sort(values, stable=True).indices
    order = order[torch.sort(batch[order], stable=True).indices]
    gap = (values[order].diff() / width[order[1:]]).clamp(max=EMPTY)
    first = torch.cat([batch.new_ones(1), batch[order].diff()]) > 0
    total = torch.cat([gap.new_zeros(1), torch.where(first[1:], 0.0, gap)]).cumsum(0)
    place = torch.empty_like(total)
    place[order] = total - total[first][first.cumsum(0) - 1]
    return place


def grid_pairs(points: Tensor, batch: Tensor, radius: Tensor) -> Tensor:
    """(2, E) all pairs i != j of one cloud with |x_i - x_j| <= radius of that cloud (B,), as (j, i), by i, then j."""
    grid = Grid(points, batch, radius * (1 + SLACK))
    order = torch.sort(grid.cell, stable=True).indices
    start = grid.count.cumsum(0) - grid.count
    own, other = grid.neighbours(1)
    limit, edges = radius.square(), [own.new_empty((2, 0))]
    for part in chunks_by_total(grid.count[own] * grid.count[other]):
        line, at = enumerate_ranges(start[own[part]], grid.count[own[part]])
        receiver, cell = order[at], other[part][line]
        line, at = enumerate_ranges(start[cell], grid.count[cell])
        sender, receiver = order[at], receiver[line]
        near = squared_distance(points[sender], points[receiver]) <= limit[batch[receiver]]
        near &= sender != receiver
        edges.append(torch.stack([sender[near], receiver[near]]))
    pairs = torch.cat(edges, dim=1)
    return pairs[:, torch.sort(pairs[1] * len(points) + pairs[0]).indices]


def independent_width(radius: Tensor, dim: int) -> tuple[Tensor, int]:
    """Largest cell width at which the points of a cell are within `radius` of each other, and the radius in cells."""
    return radius / math.sqrt(dim) * (1 - SLACK), math.ceil(math.sqrt(dim) * (1 + 2 * SLACK))
