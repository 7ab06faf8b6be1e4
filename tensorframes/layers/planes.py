"""Planes of the neighbourhoods of each level, at every point."""

from __future__ import annotations

import torch
from torch import Tensor

from tensorframes.geometry import Hierarchy
from tensorframes.layers.moments import normalised_adjugate
from tensorframes.layers.pooled_moments import inverse_square_shares
from tensorframes.reps import full_precision


def planes_of_levels(hierarchy: Hierarchy, levels: int) -> Tensor:
    r"""Planes of the neighbourhoods at each level, interpolated to all points, in the world's frame.

    At level l the normalised adjugate of the neighbours' covariance: :math:`n n^T` where they lie in a plane with
    normal n, zero where they lie on a line. Interpolation is by inverse squared distances, as in
    ``FrameInterpolation``. Noise that hides the surface at fine levels averages out at coarse ones.

    Args:
        hierarchy: of N points. levels: how many of its levels, from the finest; all if it has fewer.

    Returns:
        (N, levels, d, d), symmetric.
    """
    planes_at: list[Tensor] = []
    for depth, level in enumerate(hierarchy.levels[:levels]):
        planes = _fitted(level.pos, level.neighbours)
        for finer in reversed(range(depth)):
            planes = _interpolated(planes, hierarchy, finer)
        planes_at.append(planes)
    return torch.stack(planes_at, dim=1)


@full_precision
def _fitted(pos: Tensor, table: Tensor) -> Tensor:
    """Planes (N, d, d) of the points in each row of a neighbour table."""
    around = pos.index_select(0, table.flatten()).view(*table.shape, -1)
    centred = around - around.mean(1, keepdim=True)
    return normalised_adjugate(centred.transpose(1, 2) @ centred)


@full_precision
def _interpolated(planes: Tensor, hierarchy: Hierarchy, finer: int) -> Tensor:
    """Planes (N_l+1, d, d) of level l + 1 at the points of level l, l = ``finer``."""
    table, share = hierarchy.above[finer], inverse_square_shares(hierarchy, finer).unsqueeze(1)
    arrived = planes.flatten(1).index_select(0, table.flatten()).view(*table.shape, -1)
    return (share @ arrived).view(-1, *planes.shape[1:])
