"""Edges: the one place that fixes their direction, from receiver to sender, and whether receivers have equally many."""

import torch
from torch import Tensor

from tensorframes.geometry.checks import check_edges


def edge_vectors(pos: Tensor | tuple[Tensor, Tensor], edge_index: Tensor) -> Tensor:
    """r_ij = x_j - x_i, (E, d): from the receiver i = edge_index[1] to the sender j = edge_index[0].

    pos: (N, d), or for a bipartite graph the pair (senders' (N_s, d), receivers' (N_r, d)). Differentiable.
    """
    senders, receivers = pos if isinstance(pos, tuple) else (pos, pos)
    check_edges(edge_index, len(senders), len(receivers))
    return senders[edge_index[0]] - receivers[edge_index[1]]


def edge_lengths(edge: Tensor) -> Tensor:
    """|r| (...,) of edges (..., d). At edges of length zero its derivatives of all orders are zero; the second one of
    torch's norm is NaN there."""
    if not edge.requires_grad:
        return edge.norm(dim=-1)
    zero = (edge == 0).all(-1)
    length = torch.where(zero.unsqueeze(-1), torch.ones_like(edge), edge).norm(dim=-1)
    return torch.where(zero, torch.zeros_like(length), length)


def common_degree(index: Tensor, count: int) -> int | None:
    """The number of edges per receiver if it is the same for all ``count`` and edges are sorted by receiver, else None.

    None also on other devices than the CPU, where sums over an index are fast and comparing it would wait.
    """
    if (
        index.device.type != "cpu"
        or torch.compiler.is_compiling()
        or count == 0
        or len(index) % count
        or not len(index)
    ):
        return None
    degree = len(index) // count
    receivers = torch.arange(count, dtype=index.dtype, device=index.device).unsqueeze(1).expand(count, degree)
    return degree if torch.equal(index.view(count, degree), receivers) else None


def check_order(index: Tensor, count: int, degree: int) -> None:
    """Raise ValueError unless edges are sorted by receiver, ``degree`` for each of ``count``.

    Only on a CPU, eagerly, where the comparison takes less than 1 % of a message's time. It would wait for a GPU, and a
    compiled graph has no place for it: there the order is the caller's part, and another gives wrong numbers.
    """
    checked = index.device.type == "cpu" and not torch.compiler.is_compiling()
    if checked and len(index) and common_degree(index, count) != degree:
        raise ValueError(f"expected edges sorted by receiver, {degree} each, got them in another order")
