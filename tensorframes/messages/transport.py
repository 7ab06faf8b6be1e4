"""The transition along an edge: the only place where a feature changes frames."""

from __future__ import annotations

from torch import Tensor

from tensorframes.frames import Frames
from tensorframes.reps import Representation, full_precision


def transport(x: Tensor, reps: Representation, edge_index: Tensor, senders: Frames, receivers: Frames) -> Tensor:
    r"""Features of the senders as they arrive: :math:`\rho(R_i R_j^T)\, x_j` (arXiv 2405.15389, eq. 6).

    Done in two steps, each sender once into the world's frame, then each edge into its receiver's, so that no matrix
    per edge is multiplied out and the first step runs on S rows instead of E.

    Shapes: x (S, reps.dim), edge_index (2, E) from senders to receivers; returns (E, reps.dim).
    """
    if reps.is_invariant:
        return x.index_select(0, edge_index[0])
    world = senders.to_world(x, reps).index_select(0, edge_index[0])
    return reps.transform(world, receivers.matrices.index_select(0, edge_index[1]))


@full_precision
def local_edge_vectors(pos_src: Tensor, pos_dst: Tensor, edge_index: Tensor, receivers: Frames) -> Tensor:
    r""":math:`R_i (x_j - x_i)`, the edge in its receiver's frame: (E, d)."""
    edge = pos_src.index_select(0, edge_index[0]) - pos_dst.index_select(0, edge_index[1])
    matrices = receivers.matrices.index_select(0, edge_index[1])
    return (matrices @ edge.unsqueeze(-1)).squeeze(-1)
