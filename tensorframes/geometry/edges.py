"""Edge vectors: the one place that fixes the direction of an edge, from receiver to sender."""

from torch import Tensor


def edge_vectors(pos: Tensor | tuple[Tensor, Tensor], edge_index: Tensor) -> Tensor:
    """r_ij = x_j - x_i, (E, d): from the receiver i = edge_index[1] to the sender j = edge_index[0].

    pos: (N, d), or for a bipartite graph the pair (senders' (N_s, d), receivers' (N_r, d)). Differentiable.
    """
    if edge_index.dim() != 2 or edge_index.shape[0] != 2:
        raise ValueError(f"expected edge_index of shape (2, E), got {tuple(edge_index.shape)}")
    senders, receivers = pos if isinstance(pos, tuple) else (pos, pos)
    return senders[edge_index[0]] - receivers[edge_index[1]]
