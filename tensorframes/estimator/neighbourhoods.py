"""Which points planes are fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tensorframes.geometry import Hierarchy, knn


@dataclass(frozen=True)
class Neighbourhoods:
    """The points that planes are fitted to."""

    hierarchy: Hierarchy
    rows: Tensor  # (M,) whose planes
    table: Tensor  # (M, K) rows of level 0 that the fitted points belong to
    edge: Tensor  # (M, K, 3) from the point to where these are
    kind: Tensor  # (K,) level of each column, ascending

    def split(self, size: int) -> list[Neighbourhoods]:
        """Parts of at most ``size`` rows."""
        parts = zip(self.rows.split(size), self.table.split(size), self.edge.split(size), strict=True)
        return [replace(self, rows=rows, table=table, edge=edge) for rows, table, edge in parts]


def neighbourhoods(hierarchy: Hierarchy, rows: Tensor, counts: Sequence[int]) -> Neighbourhoods:
    """For each of the rows (M,) the nearest ``counts[l]`` points of each level l that there is."""
    fine = hierarchy.levels[0]
    known = fine.neighbours if hierarchy.near is None else hierarchy.near
    query, query_batch = fine.pos[rows], fine.batch[rows]
    tables, edges, kinds = [], [], []
    for kind, (count, level) in enumerate(zip(counts, hierarchy.levels, strict=False)):
        if count:
            if kind == 0 and count <= known.shape[1]:
                found = known[rows, :count]
            else:
                found = knn(level.pos, count, query=query, batch=level.batch, query_batch=query_batch)
            tables.append(level.rows[found])
            edges.append(
                level.pos.index_select(0, found.flatten()).view(*found.shape, query.shape[-1]) - query.unsqueeze(1)
            )
            kinds += [kind] * count
    kind_of = torch.tensor(kinds, device=rows.device)
    return Neighbourhoods(hierarchy, rows, torch.cat(tables, dim=1), torch.cat(edges, dim=1), kind_of)
