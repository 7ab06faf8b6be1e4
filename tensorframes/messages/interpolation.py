"""Interpolation of features between point sets, each feature in its receiver's frame."""

from __future__ import annotations

import torch
from torch import Tensor

from tensorframes.frames import Frames
from tensorframes.messages.aggregation import FixedDegree
from tensorframes.messages.tensorial import TensorialMessagePassing
from tensorframes.reps import Representation


class FrameInterpolation(TensorialMessagePassing):
    r"""Inverse squared distance interpolation from k nearest senders (PointNet++, Qi et al. 2017, eq. 2), in frames:

    .. math:: f_i = \frac{\sum_j w_{ij}\, \rho(R_i R_j^T) f_j}{\sum_j w_{ij}}, \qquad
        w_{ij} = 1 / (|x_j - x_i|^2 + \epsilon).

    Args:
        reps: the representation of the features.
        degree: k; edges are sorted by receiver, k each.
        epsilon: in squared units of the positions; small against the spacing of the senders.
    """

    in_chunks = True

    def __init__(self, reps: Representation, degree: int = 3, epsilon: float = 1e-3) -> None:
        super().__init__(transport={"x": reps}, aggr=FixedDegree("sum", degree))
        self.degree, self.epsilon = degree, epsilon

    def forward(
        self, x: Tensor, edge_index: Tensor, pos: tuple[Tensor, Tensor], frames: tuple[Frames, Frames]
    ) -> Tensor:
        """Features (R, reps.dim) of the receivers from x (S, reps.dim); pos and frames: (senders, receivers)."""
        edge = pos[0].index_select(0, edge_index[0]) - pos[1].index_select(0, edge_index[1])
        weight = 1 / ((edge * edge).sum(-1) + self.epsilon)
        total = weight.view(-1, self.degree).sum(-1, keepdim=True)
        share = (weight.view(-1, self.degree) / total).view(-1, 1)
        receivers = torch.zeros(len(pos[1]), 0, dtype=x.dtype, device=x.device)
        out: Tensor = self.propagate(edge_index, x=(x, receivers), share=share, frames=frames)
        return out

    def message(self, x_j: Tensor, share: Tensor) -> Tensor:
        return share * x_j
