"""Transport along an edge, from the sender's frame to the receiver's."""

from __future__ import annotations

from torch import Tensor

from tensorframes.frames import Frames
from tensorframes.geometry.checks import check_edges, check_rows
from tensorframes.geometry.edges import check_order, common_degree
from tensorframes.reps import Representation, full_precision


def both_ends(frames: Frames | tuple[Frames, Frames]) -> tuple[Frames, Frames]:
    """The frames of senders and receivers, from one set for both or a pair.

    Raises:
        ValueError: they are neither.
    """
    ends = frames if isinstance(frames, tuple) else (frames, frames)
    if len(ends) != 2 or not all(isinstance(end, Frames) for end in ends):
        raise ValueError(f"expected frames=Frames or a pair of Frames, got {type(frames).__name__}")
    return ends


def transport(x: Tensor, reps: Representation, edge_index: Tensor, senders: Frames, receivers: Frames) -> Tensor:
    r"""Features of the senders in the receivers' frames: :math:`\rho(R_i R_j^T)\, x_j` (arXiv 2405.15389, eq. 6).

    The transition has two steps: each sender goes to the world's frame once, then each edge to its receiver's. So no
    product of two matrices is computed per edge, and the first step runs on S rows instead of E. A receiver's matrix is
    applied to all its edges at once where every receiver has equally many (``turned_by_receivers``); elsewhere it is
    gathered for each edge, (E, d, d).

    Shapes: x (S, reps.dim), edge_index (2, E) from senders to receivers; returns (E, reps.dim).
    """
    check_edges(edge_index)
    check_rows(x, senders.points, "features of the senders")
    check_edges(edge_index, senders.points, receivers.points)
    reps.check(x)
    return arrive(x if reps.is_invariant else senders.to_world(x, reps), reps, edge_index, receivers)


def arrive(
    world: Tensor, reps: Representation, edge_index: Tensor, receivers: Frames, degree: int | None = None
) -> Tensor:
    """The second step of ``transport``: from features (S, reps.dim) in the world's frame to (E, reps.dim).

    ``degree``: as in ``turned_by_receivers``.
    """
    sent = world.index_select(0, edge_index[0])
    if reps.is_invariant:
        return sent
    return turned_by_receivers(sent, reps, edge_index, receivers, degree)


def turned_by_receivers(
    edges: Tensor, reps: Representation, edge_index: Tensor, receivers: Frames, degree: int | None = None
) -> Tensor:
    """Tensors on the edges (E, reps.dim), from the world's frame to their receivers' (E, reps.dim).

    ``degree``: the number of edges per receiver if it is the same for all and edges are sorted by receiver; a
    receiver's frame is then applied to all its edges at once. None: found out on a CPU, eagerly (``common_degree``);
    elsewhere, as where degrees differ, the frames are gathered for each edge. The caller checks the order
    (``check_order``).
    """
    if degree is None:
        degree = common_degree(edge_index[1], receivers.points)
    if degree is None:
        return reps.transform(edges, receivers.matrices.index_select(0, edge_index[1]))
    return reps.transform(edges.unflatten(0, (receivers.points, degree)), receivers.matrices).flatten(0, 1)


@full_precision
def local_edge_vectors(
    pos_src: Tensor, pos_dst: Tensor, edge_index: Tensor, receivers: Frames, degree: int | None = None
) -> Tensor:
    r""":math:`R_i (x_j - x_i)`, the edge in its receiver's frame: (E, d). ``degree`` as in ``turned_by_receivers``.

    Raises:
        ValueError: shapes disagree, an edge joins points that are not there, or (see ``check_order``: on a CPU,
            eagerly) edges are not sorted by receiver, ``degree`` each.
    """
    check_edges(edge_index)
    check_rows(pos_dst, receivers.points, "positions of the receivers")
    check_edges(edge_index, pos_src.shape[0], receivers.points)
    if degree is None:
        degree = common_degree(edge_index[1], receivers.points)
    else:
        check_order(edge_index[1], receivers.points, degree)
    if degree is not None:
        ends = pos_src.index_select(0, edge_index[0]).unflatten(0, (receivers.points, degree))
        return ((ends - pos_dst.unsqueeze(1)) @ receivers.matrices.transpose(-1, -2)).flatten(0, 1)
    edge = pos_src.index_select(0, edge_index[0]) - pos_dst.index_select(0, edge_index[1])
    matrices = receivers.matrices.index_select(0, edge_index[1])
    return (matrices @ edge.unsqueeze(-1)).squeeze(-1)
