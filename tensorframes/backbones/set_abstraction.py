"""PointNet++'s layers in tensor frames: set abstraction at one scale or several, and feature propagation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from tensorframes.frames import Frames
from tensorframes.layers import MLP, EdgeEncoding, Norm
from tensorframes.messages import FrameInterpolation, Pooling, TensorialMessagePassing, local_edge_vectors, pooled
from tensorframes.reps import Representation, representation


class Gathering(Protocol):
    """Makes the layer that gathers the features of a level's points from those of the level below."""

    def __call__(
        self, reps_in: Representation, reps_out: Representation, degree: int, length: float, own: int
    ) -> nn.Module:
        """A layer called as ``SetAbstraction.forward`` is, with the arguments of ``SetAbstraction``."""


class SetAbstraction(TensorialMessagePassing):
    r"""A PointNet on the neighbourhood of each receiver (Qi et al. 2017, arXiv 1706.02413, section 3.2), in frames:

    .. math:: f_i' = \gamma\Big( \mathrm{AGG}_{j} \; h\big(\rho(R_i R_j^T) f_j,\; e_{ij}\big),\; o_i \Big),

    :math:`e_{ij}` the edge in the receiver's frame with its encodings (``EdgeEncoding``).

    Args:
        reps_in, reps_out: representations of the features before and after.
        degree: neighbours of every receiver; edges are sorted by receiver.
        length: the level's length l, in units of the positions.
        own: width of the receivers' own features o_i.
        aggregations: of ``"max"`` (as published), ``"mean"``, ``"sum"`` and ``"softmax"``, concatenated.
        radial, directional: encodings of the edges, see ``EdgeEncoding``.
        norm: ``"layer"``, or ``"batch"`` as published.
    """

    in_chunks = True

    def __init__(
        self,
        reps_in: Representation | str,
        reps_out: Representation | str,
        degree: int,
        length: float = 1.0,
        own: int = 0,
        aggregations: Pooling | Sequence[Pooling] = ("max", "mean"),
        radial: int = 0,
        directional: int = 0,
        norm: Norm = "layer",
    ) -> None:
        reps_in, reps_out = representation(reps_in), representation(reps_out)
        aggr = pooled(aggregations, degree)
        super().__init__(transport={"x": reps_in}, aggr=aggr)
        width = reps_out.dim
        self.encode = EdgeEncoding(length, radial, directional, reps_in.d)
        self.message_net = MLP([reps_in.dim + self.encode.dim, width, width], last_activation=True)
        self.update_net = MLP([width * len(aggr) + own, width, width], norm=norm)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        pos: tuple[Tensor, Tensor],
        frames: tuple[Frames, Frames],
        own: Tensor | None = None,
    ) -> Tensor:
        """Features (R, reps_out.dim) of the receivers from x (S, reps_in.dim); pos and frames: (senders, receivers)."""
        edge = self.encode(local_edge_vectors(pos[0], pos[1], edge_index, frames[1], self.fixed_degree))
        receivers = x.new_zeros(pos[1].shape[0], 0)
        arrived = self.propagate(edge_index, x=(x, receivers), edge=edge, frames=frames)
        out: Tensor = self.update_net(arrived if own is None else torch.cat([arrived, own], dim=-1))
        return out

    def message(self, x_j: Tensor, edge: Tensor) -> Tensor:
        out: Tensor = self.message_net(torch.cat([x_j, edge], dim=-1))
        return out


class MultiScaleAbstraction(nn.Module):
    """Set abstraction at several scales, concatenated (Qi et al. 2017, section 3.3: multi-scale grouping, MSG).

    Each scale has its own ``SetAbstraction`` over the first of the receiver's neighbours, those nearest to where it was
    sampled. The outputs are concatenated and mixed linearly. The neighbourhoods are nested, as the published
    balls are, but given by numbers of points instead of radii, so that uneven density leaves none empty.

    Args:
        reps_in, reps_out, degree, length, own: as in ``SetAbstraction``.
        shares: the neighbours of each scale as a fraction of ``degree``, in (0, 1].
        aggregations, radial, directional, norm: of each scale, as in ``SetAbstraction``.

    Raises:
        ValueError: there is no share, or one is not in (0, 1].
    """

    def __init__(
        self,
        reps_in: Representation,
        reps_out: Representation,
        degree: int,
        length: float = 1.0,
        own: int = 0,
        shares: Sequence[float] = (0.25, 0.5, 1.0),
        aggregations: Pooling | Sequence[Pooling] = "max",
        radial: int = 0,
        directional: int = 0,
        norm: Norm = "layer",
    ) -> None:
        super().__init__()
        if not shares or not all(0 < share <= 1 for share in shares):
            raise ValueError(f"expected shares of the neighbours in (0, 1], got {list(shares)}")
        self.degree = degree
        self.degrees = [max(1, round(share * degree)) for share in shares]
        self.scales = nn.ModuleList(
            SetAbstraction(reps_in, reps_out, each, length, own, aggregations, radial, directional, norm)
            for each in self.degrees
        )
        self.output_layer = nn.Linear(len(self.degrees) * reps_out.dim, reps_out.dim)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        pos: tuple[Tensor, Tensor],
        frames: tuple[Frames, Frames],
        own: Tensor | None = None,
    ) -> Tensor:
        """As ``SetAbstraction.forward``; the edges of each receiver in order of distance."""
        each = edge_index.view(2, -1, self.degree)
        outputs = [
            layer(x, each[..., :degree].reshape(2, -1), pos, frames, own)
            for layer, degree in zip(self.scales, self.degrees, strict=True)
        ]
        out: Tensor = self.output_layer(torch.cat(outputs, dim=-1))
        return out


class FeaturePropagation(nn.Module):
    """Coarse features interpolated to finer points, joined with theirs (Qi et al. 2017, section 3.4), in frames."""

    def __init__(
        self,
        coarse: Representation,
        skip: Representation,
        out: Representation,
        degree: int = 3,
        norm: Norm = "layer",
    ) -> None:
        super().__init__()
        self.interpolate = FrameInterpolation(coarse, degree)
        self.net = MLP([coarse.dim + skip.dim, out.dim, out.dim], norm=norm)

    def forward(
        self, x: Tensor, skip: Tensor, edge_index: Tensor, pos: tuple[Tensor, Tensor], frames: tuple[Frames, Frames]
    ) -> Tensor:
        """Features (R, out.dim) from x (S, coarse.dim) and skip (R, skip.dim); pos and frames: (coarse, fine)."""
        arrived = self.interpolate(x, edge_index, pos, frames)
        out: Tensor = self.net(torch.cat([arrived, skip], dim=-1))
        return out
