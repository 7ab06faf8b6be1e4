"""Interpolation of features between point sets, each feature in its receiver's frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tensorframes.frames import Frames
from tensorframes.geometry.checks import check_count
from tensorframes.geometry.edges import check_order
from tensorframes.parallel import parallel_map
from tensorframes.reps import Representation, full_precision, representation

CHUNK = 2048  # receivers computed at once for inference on a CPU: what arrives at them stays in the cache


class FrameInterpolation(nn.Module):
    r"""Inverse squared distance interpolation from k nearest senders (PointNet++, Qi et al. 2017, eq. 2), in frames:

    .. math:: f_i = \frac{\sum_j w_{ij}\, \rho(R_i R_j^T) f_j}{\sum_j w_{ij}}, \qquad
        w_{ij} = 1 / (|x_j - x_i|^2 + \epsilon).

    The sum is linear in the features, so it is taken in the world's frame: the receivers' frames are applied to R sums
    instead of R k terms, and no feature of an edge is turned.

    Args:
        reps: the representation of the features.
        degree: k; edges are sorted by receiver, k each.
        epsilon: in squared units of the positions; small against the spacing of the senders.

    Raises:
        ValueError: the degree is below 1, epsilon is not positive, the number of edges is not k times that of the
            receivers, or (see ``check_order``: on a CPU, eagerly) they are not sorted by receiver.
    """

    def __init__(self, reps: Representation | str, degree: int = 3, epsilon: float = 1e-3) -> None:
        reps = representation(reps)
        super().__init__()
        check_count(degree, "degree")
        if not epsilon > 0:
            raise ValueError(f"expected epsilon > 0, got {epsilon}")
        self.reps, self.degree, self.epsilon = reps, degree, epsilon

    def forward(
        self, x: Tensor, edge_index: Tensor, pos: tuple[Tensor, Tensor], frames: tuple[Frames, Frames]
    ) -> Tensor:
        """Features (R, reps.dim) of the receivers from x (S, reps.dim); pos and frames: (senders, receivers)."""
        count = pos[1].shape[0]
        if edge_index.shape[1] != self.degree * count:
            raise ValueError(
                f"expected {self.degree} edges for each of {count} receivers, got {edge_index.shape[1]} edges"
            )
        check_order(edge_index[1], count, self.degree)
        table, world = edge_index[0].view(count, self.degree), frames[0].to_world(x, self.reps)

        def of_chunk(part: tuple[Tensor, Tensor, Tensor]) -> Tensor:
            near, own, matrices = part
            return self.reps.transform(self._mean(world, near, pos[0], own), matrices)

        everything = table, pos[1], frames[1].matrices
        if torch.compiler.is_compiling() or count <= CHUNK or x.device.type != "cpu" or torch.is_grad_enabled():
            return of_chunk(everything)
        parts = list(zip(*(each.split(CHUNK) for each in everything), strict=True))
        return torch.cat(parallel_map(of_chunk, parts, x.device))

    @full_precision
    def _mean(self, world: Tensor, table: Tensor, senders: Tensor, receivers: Tensor) -> Tensor:
        """Weighted means (R, C) of features (S, C) along a table (R, k)."""
        flat = table.flatten()
        edge = senders.index_select(0, flat).view(*table.shape, senders.shape[1]) - receivers.unsqueeze(1)
        weight = 1 / (edge.square().sum(-1) + self.epsilon)
        share = (weight / weight.sum(-1, keepdim=True)).unsqueeze(1)
        return (share @ world.index_select(0, flat).view(*table.shape, world.shape[1])).squeeze(1)
