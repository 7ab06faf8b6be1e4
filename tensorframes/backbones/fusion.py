"""A layer with products of several neighbours' tensors (many-body messages), in tensor frames."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tensorframes.frames import Frames
from tensorframes.geometry.checks import check_count
from tensorframes.geometry.edges import edge_lengths
from tensorframes.geometry.radial import RadialEncoding
from tensorframes.layers import MLP, EdgeProduct, Fusion, Norm
from tensorframes.layers.edges import REACH
from tensorframes.messages import FixedDegree, TensorialMessagePassing, local_edge_vectors
from tensorframes.reps import Representation, representation


class FusionAbstraction(TensorialMessagePassing):
    r"""A fusion block (Li et al. 2024, arXiv 2211.07482) in place of the message network of ``SetAbstraction``:

    .. math:: A_i = \frac{1}{k} \sum_j m\big(W \rho(R_i R_j^T) f_j,\; R_i (x_j - x_i)\big), \qquad
        f_i' = \gamma\big(B_1(A_i), \dots, B_n(A_i),\; o_i\big),

    m is the product with the edge's direction (``EdgeProduct``), weighted by a function of its length; B are the
    products of one to n neighbours (``Fusion``). The layers between W and :math:`\gamma` are equivariant without
    frames, too.

    Args:
        reps_in, reps_out: representations of the features before and after; d = 3.
        degree: neighbours of every receiver; edges are sorted by receiver.
        length: the level's length, in units of the positions.
        own: width of the receivers' own features o_i.
        channels: copies of every degree of the irreducible tensors.
        order: their highest degree.
        bodies: n, the number of neighbours that are coupled at once.
        radial: number of cosines of the length that the weights are computed from.
        norm: ``"layer"`` or ``"batch"``.

    Raises:
        ValueError: d is not 3.
    """

    in_chunks = True

    def __init__(
        self,
        reps_in: Representation | str,
        reps_out: Representation | str,
        degree: int,
        length: float = 1.0,
        own: int = 0,
        channels: int = 8,
        order: int = 2,
        bodies: int = 3,
        radial: int = 8,
        norm: Norm = "layer",
    ) -> None:
        reps_in, reps_out = representation(reps_in), representation(reps_out)
        if reps_in.d != 3:
            raise ValueError(f"expected d=3 for irreducible tensors, got d={reps_in.d}")
        check_count(radial, "radial")
        product = EdgeProduct(channels, order)
        super().__init__(transport={"x": reps_in}, aggr=FixedDegree("mean", degree))
        self.length, self.product, self.fusion = length, product, Fusion(channels, order, bodies)
        self.input_layer = nn.Linear(reps_in.dim, product.irreps.dim)
        self.radial = RadialEncoding(radial)
        self.radial_net = MLP([radial, 32, channels * len(product.paths)])
        self.update_net = MLP([bodies * product.irreps.dim + own, reps_out.dim, reps_out.dim], norm=norm)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        pos: tuple[Tensor, Tensor],
        frames: tuple[Frames, Frames],
        own: Tensor | None = None,
    ) -> Tensor:
        """Features (R, reps_out.dim) of the receivers from x (S, reps_in.dim); pos and frames: (senders, receivers)."""
        edge = local_edge_vectors(pos[0], pos[1], edge_index, frames[1], self.fixed_degree) / self.length
        receivers = x.new_zeros(len(pos[1]), 0)
        arrived = self.propagate(edge_index, x=(x, receivers), edge=edge, frames=frames)
        products = [*self.fusion(arrived), *([] if own is None else [own])]
        out: Tensor = self.update_net(torch.cat(products, dim=-1))
        return out

    def message(self, x_j: Tensor, edge: Tensor) -> Tensor:
        weight = self.radial_net(self.radial(edge_lengths(edge) / REACH)).unflatten(-1, (-1, self.product.channels))
        out: Tensor = self.product(self.input_layer(x_j), edge, weight)
        return out
