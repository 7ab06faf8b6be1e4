"""Neighbourhoods on several levels, to which planes are fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tensorframes.geometry import knn
from tensorframes.layers import Geometry, PooledMoments
from tensorframes.normals.joined import joined


@dataclass(frozen=True)
class Neighbourhoods:
    """The K neighbours of each of M points, on several levels."""

    rows: Tensor  # (M,) the points, at level 0
    table: Tensor  # (M, K) rows of level 0 of the neighbours
    edge: Tensor  # (M, K, 3) from the point to each of them
    counts: tuple[int, ...]  # columns of level 0, 1, ..., in this order; K in all
    moments: PooledMoments | None = None  # of all coarse levels, one after the other; counts over their cloud's mean
    coarse: Tensor | None = None  # (M, K') rows of the moments, of the columns of coarse levels

    @property
    def kind(self) -> Tensor:
        """(K,) level of each column, ascending."""
        return torch.cat([self.table.new_full((count,), level) for level, count in enumerate(self.counts)])

    def moved(self, offset: Tensor) -> Neighbourhoods:
        """The same neighbourhoods after the points of level 0 are displaced by (N, 3); coarse points are unchanged."""
        own, fine = offset.index_select(0, self.rows).unsqueeze(1), self.counts[0]
        shift = offset.index_select(0, self.table[:, :fine].flatten()).view(len(self.table), fine, offset.shape[1])
        shift = torch.nn.functional.pad(shift, (0, 0, 0, self.table.shape[1] - fine))
        return replace(self, edge=self.edge + shift - own)

    def split(self, size: int) -> list[Neighbourhoods]:
        """Chunks of at most ``size`` rows."""
        if self.rows.shape[0] <= size:
            return [self]
        columns = zip(self.rows.split(size), self.table.split(size), self.edge.split(size), strict=True)
        chunks = [replace(self, rows=rows, table=table, edge=edge) for rows, table, edge in columns]
        if self.coarse is None:
            return chunks
        return [replace(chunk, coarse=rows) for chunk, rows in zip(chunks, self.coarse.split(size), strict=True)]


def neighbourhoods(
    geometry: Geometry, rows: Tensor, counts: Sequence[int], moments: Sequence[PooledMoments] | None = None
) -> Neighbourhoods:
    """The nearest ``counts[l]`` points of each level l of the hierarchy, for each of the rows (M,) of level 0.

    Positions of coarse points are those of their level, or the means of the pooled moments if these are given.
    """
    fine = geometry.levels[0]
    query = fine.pos[rows]
    tables, edges, coarse, before = [], [], [], 0
    used = list(zip(counts, geometry.levels, strict=False))
    for kind, (count, level) in enumerate(used):
        pos = level.pos if moments is None or kind == 0 else moments[kind - 1].mean
        if count:
            index = _nearest(geometry, rows, kind, count, pos, moments is not None)
            tables.append(level.rows[index])
            edges.append(pos.index_select(0, index.flatten()).view(*index.shape, query.shape[-1]) - query.unsqueeze(1))
            if kind > 0:
                coarse.append(before + index)
        before += len(pos) if kind > 0 else 0
    columns = tuple(count for count, _ in used)
    points = Neighbourhoods(rows, torch.cat(tables, dim=1), torch.cat(edges, dim=1), columns)
    if moments is None or not coarse:
        return points
    relative = [
        replace(each, count=each.count / mean_of_cloud(each.count, level.batch))
        for each, level in zip(moments, geometry.levels[1:], strict=True)
    ]
    return replace(points, moments=joined(relative), coarse=torch.cat(coarse, dim=1))


def _nearest(geometry: Geometry, rows: Tensor, kind: int, count: int, pos: Tensor, pooled: bool) -> Tensor:
    """(M, count) rows of level ``kind``, at pos (N_l, 3), nearest to the rows (M,); from a table of the geometry if it
    has one."""
    fine, level = geometry.levels[0], geometry.levels[kind]
    if kind == 0 and count <= geometry.knn_index.shape[1]:
        return geometry.knn_index[rows, :count]
    table = geometry.nearest(kind, count) if kind > 0 and pooled else None
    if table is not None:
        return table[rows]
    return knn(pos, count, query=fine.pos[rows], batch=level.batch, query_batch=fine.batch[rows])


def mean_of_cloud(values: Tensor, batch: Tensor) -> Tensor:
    """(N,) the mean of the values (N,) over the cloud of each, batch (N,)."""
    clouds = int(batch.max()) + 1
    total, count = (values.new_zeros(clouds).index_add(0, batch, each) for each in (values, torch.ones_like(values)))
    return (total / count.clamp_min(1)).index_select(0, batch)
