"""Which points planes are fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tensorframes.geometry import Hierarchy, knn
from tensorframes.layers.regions import Regions, around
from tensorframes.normals.joined import joined


@dataclass(frozen=True)
class Neighbourhoods:
    """The points that planes are fitted to."""

    hierarchy: Hierarchy
    rows: Tensor  # (M,) whose planes
    table: Tensor  # (M, K) rows of level 0 that the fitted points belong to
    edge: Tensor  # (M, K, 3) from the point to where these are
    kind: Tensor  # (K,) level of each column, ascending
    regions: Regions | None = None  # of all coarse levels in turn; counts in units of the mean in their cloud and level
    region: Tensor | None = None  # (M, K') which of them the columns of coarse levels are

    def moved(self, offset: Tensor) -> Neighbourhoods:
        """The same once the points of level 0 have moved by (N, 3); coarse ones stay where they are."""
        own, fine = offset.index_select(0, self.rows).unsqueeze(1), int((self.kind == 0).sum())
        shift = offset.index_select(0, self.table[:, :fine].flatten()).view(len(self.table), fine, offset.shape[1])
        shift = torch.nn.functional.pad(shift, (0, 0, 0, self.table.shape[1] - fine))
        return replace(self, edge=self.edge + shift - own)

    def split(self, size: int) -> list[Neighbourhoods]:
        """Parts of at most ``size`` rows."""
        parts = zip(self.rows.split(size), self.table.split(size), self.edge.split(size), strict=True)
        found = [replace(self, rows=rows, table=table, edge=edge) for rows, table, edge in parts]
        if self.region is not None:
            found = [replace(part, region=region) for part, region in zip(found, self.region.split(size), strict=True)]
        return found


def neighbourhoods(
    hierarchy: Hierarchy, rows: Tensor, counts: Sequence[int], regions: Sequence[Regions] | None = None
) -> Neighbourhoods:
    """For each of the rows (M,) the nearest ``counts[l]`` points of each level l that there is; of coarse levels, if
    their regions are given, the nearest of these."""
    fine = hierarchy.levels[0]
    query, query_batch = fine.pos[rows], fine.batch[rows]
    tables, edges, kinds, of_regions, before = [], [], [], [], 0
    for kind, (count, level) in enumerate(zip(counts, hierarchy.levels, strict=False)):
        pos = level.pos if regions is None or kind == 0 else regions[kind - 1].mean
        if count:
            if kind == 0 and count <= hierarchy.known.shape[1]:
                found = hierarchy.known[rows, :count]
            elif kind > 0 and regions is not None and len(rows) == hierarchy.points:
                found = around(hierarchy, kind, regions[kind - 1], 0, count)[rows]
            else:
                found = knn(pos, count, query=query, batch=level.batch, query_batch=query_batch)
            tables.append(level.rows[found])
            edges.append(pos.index_select(0, found.flatten()).view(*found.shape, query.shape[-1]) - query.unsqueeze(1))
            kinds += [kind] * count
            if kind > 0:
                of_regions.append(before + found)
        before += len(pos) if kind > 0 else 0
    kind_of = torch.tensor(kinds, device=rows.device)
    near = Neighbourhoods(hierarchy, rows, torch.cat(tables, dim=1), torch.cat(edges, dim=1), kind_of)
    if regions is None or not of_regions:
        return near
    relative = [
        replace(each, count=each.count / mean_of_cloud(each.count, level.batch))
        for each, level in zip(regions, hierarchy.levels[1:], strict=True)
    ]
    return replace(near, regions=joined(relative), region=torch.cat(of_regions, dim=1))


def mean_of_cloud(values: Tensor, batch: Tensor) -> Tensor:
    """For each of N values (N,) the mean over its cloud, batch (N,)."""
    clouds = int(batch.max()) + 1
    total, count = (values.new_zeros(clouds).index_add(0, batch, each) for each in (values, torch.ones_like(values)))
    return (total / count.clamp_min(1)).index_select(0, batch)
