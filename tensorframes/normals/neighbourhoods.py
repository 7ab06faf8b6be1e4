"""Neighbourhoods on several levels, to which planes are fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tensorframes.geometry import knn
from tensorframes.layers import Geometry, PooledMoments
from tensorframes.normals.concatenate import concatenated


@dataclass(frozen=True)
class Neighbourhoods:
    """The K neighbours of each of M points, on several levels."""

    rows: Tensor  # (M,) the points, at level 0
    table: Tensor  # (M, K) rows at level 0 of the neighbours
    edge: Tensor  # (M, K, 3) vectors from the point to its neighbours
    counts: tuple[int, ...]  # numbers of neighbours at level 0, 1, ..., whose columns are in this order; their sum is K
    moments: PooledMoments | None = None  # of all coarse levels, concatenated; counts over the mean count of the cloud
    coarse: Tensor | None = None  # (M, K') rows of the moments, for the columns of coarse levels

    @property
    def level(self) -> Tensor:
        """(K,) level of each column, ascending."""
        return torch.cat([self.table.new_full((count,), level) for level, count in enumerate(self.counts)])

    def displaced(self, displacement: Tensor) -> Neighbourhoods:
        """The same neighbourhoods with the points of level 0 displaced by (N, 3); coarse points are unchanged."""
        centre, fine = displacement.index_select(0, self.rows).unsqueeze(1), self.counts[0]
        shift = displacement.index_select(0, self.table[:, :fine].flatten())
        shift = shift.view(len(self.table), fine, displacement.shape[1])
        shift = torch.nn.functional.pad(shift, (0, 0, 0, self.table.shape[1] - fine))
        return replace(self, edge=self.edge + shift - centre)

    def split(self, size: int) -> list[Neighbourhoods]:
        """Chunks of at most ``size`` points."""
        if self.rows.shape[0] <= size:
            return [self]
        columns = zip(self.rows.split(size), self.table.split(size), self.edge.split(size), strict=True)
        chunks = [replace(self, rows=rows, table=table, edge=edge) for rows, table, edge in columns]
        if self.coarse is None:
            return chunks
        return [replace(chunk, coarse=coarse) for chunk, coarse in zip(chunks, self.coarse.split(size), strict=True)]


def neighbourhoods(
    geometry: Geometry, rows: Tensor, counts: Sequence[int], moments: Sequence[PooledMoments] | None = None
) -> Neighbourhoods:
    """The ``counts[l]`` nearest points of each level l of the hierarchy, for points (M,) of level 0.

    Coarse points are at the positions of their level, or at the means of the pooled moments if these are given.
    """
    finest = geometry.levels[0]
    query = finest.pos[rows]
    tables, edges, coarse, first_row = [], [], [], 0
    used = list(zip(counts, geometry.levels, strict=False))
    for depth, (count, level) in enumerate(used):
        pos = level.pos if moments is None or depth == 0 else moments[depth - 1].mean
        if count:
            index = _nearest(geometry, rows, depth, count, pos, moments is not None)
            tables.append(level.rows[index])
            edges.append(pos.index_select(0, index.flatten()).view(*index.shape, query.shape[-1]) - query.unsqueeze(1))
            if depth > 0:
                coarse.append(first_row + index)
        first_row += len(pos) if depth > 0 else 0
    columns = tuple(count for count, _ in used)
    points = Neighbourhoods(rows, torch.cat(tables, dim=1), torch.cat(edges, dim=1), columns)
    if moments is None or not coarse:
        return points
    relative = [
        replace(each, count=each.count / cloud_mean(each.count, level.batch))
        for each, level in zip(moments, geometry.levels[1:], strict=True)
    ]
    return replace(points, moments=concatenated(relative), coarse=torch.cat(coarse, dim=1))


def _nearest(geometry: Geometry, rows: Tensor, depth: int, count: int, pos: Tensor, pooled: bool) -> Tensor:
    """(M, count) rows of the points of level ``depth``, at pos (N_depth, 3), nearest to points (M,) of level 0; taken
    from a table of the geometry if there is one."""
    finest, level = geometry.levels[0], geometry.levels[depth]
    if depth == 0 and count <= geometry.knn_index.shape[1]:
        return geometry.knn_index[rows, :count]
    table = geometry.nearest(depth, count) if depth > 0 and pooled else None
    if table is not None:
        return table[rows]
    return knn(pos, count, query=finest.pos[rows], batch=level.batch, query_batch=finest.batch[rows])


def cloud_mean(values: Tensor, batch: Tensor) -> Tensor:
    """(N,) for each point the mean of the values (N,) over its cloud, batch (N,)."""
    clouds = int(batch.max()) + 1
    total, count = (values.new_zeros(clouds).index_add(0, batch, each) for each in (values, torch.ones_like(values)))
    return (total / count.clamp_min(1)).index_select(0, batch)
