"""Point Transformer in tensor frames."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from tensorframes.backbones.pointnet2 import PointNet2
from tensorframes.backbones.set_abstraction import SetAbstraction
from tensorframes.frames import Frames
from tensorframes.geometry import Level, table_edges
from tensorframes.layers import MLP, NodeFeatures, Norm, made_norm
from tensorframes.messages import FixedDegree, Messages, TensorialMessagePassing, local_edge_vectors
from tensorframes.messages.kinds import chosen_messages
from tensorframes.reps import Representation, representation


class FrameAttention(TensorialMessagePassing):
    r"""Vector attention over neighbours (Zhao et al. 2021, arXiv 2012.09164, eq. 3), in frames, with a skip:

    .. math:: f_i' = f_i + o\Big( \sum_j \mathrm{softmax}_j\, \gamma\big(\varphi(f_i) - \psi(f_{ij}) + \delta_{ij}\big)
        \odot \big(\alpha(f_{ij}) + \delta_{ij}\big) \Big), \qquad f_{ij} = \rho(R_i R_j^T) f_j,
        \quad \delta_{ij} = \theta\big(R_i (x_j - x_i) / \ell\big).

    Args:
        reps: of the features.
        degree: neighbours of every receiver; edges are sorted by receiver.
        length: l, in units of the positions.
        norm: ``"layer"``, or ``"batch"`` as published.
    """

    in_chunks = True

    def __init__(self, reps: Representation | str, degree: int, length: float = 1.0, norm: Norm = "layer") -> None:
        reps = representation(reps)
        super().__init__(transport={"x": reps}, aggr=FixedDegree("sum", degree))
        width = reps.dim
        self.length = length
        self.norm = made_norm(norm, width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.position_net = MLP([reps.d, width, width])
        self.attention_net = MLP([width, width, width])

    def forward(self, x: Tensor, edge_index: Tensor, pos: Tensor, frames: Frames) -> Tensor:
        """Features (N, reps.dim) from x (N, reps.dim)."""
        edge = local_edge_vectors(pos, pos, edge_index, frames, self.fixed_degree) / self.length
        out: Tensor = self.out(self.propagate(edge_index, x=self.norm(x), edge=edge, frames=frames))
        return x + out

    def message(self, x_i: Tensor, x_j: Tensor, edge: Tensor) -> Tensor:
        position = self.position_net(edge)
        score = self.attention_net(self.query(x_i) - self.key(x_j) + position)
        share = score.unflatten(0, (-1, self.fixed_degree)).softmax(dim=1).flatten(0, 1)
        out: Tensor = share * (self.value(x_j) + position)
        return out


class PointTransformer(PointNet2):
    """Point Transformer (Zhao et al. 2021, arXiv 2012.09164, figure 3): PointNet++'s levels, with attention in each.

    Going down, each level's features are gathered from the level below (``SetAbstraction`` in place of the published
    transition, which samples farthest points), then attend to their neighbours; going up they are interpolated.

    Args:
        messages, widths, radii, neighbours, norm, refine, features: as in ``PointNet2``.
    """

    def __init__(
        self,
        messages: Messages | None = None,
        widths: Sequence[int] = (32, 64, 96, 128),
        radii: Sequence[float] = (1.5, 3.0, 6.0),
        neighbours: int = 16,
        norm: Norm = "layer",
        refine: bool = False,
        features: NodeFeatures | None = None,
    ) -> None:
        gather = partial(SetAbstraction, aggregations="max", norm=norm)
        super().__init__(messages, widths, radii, neighbours, gather, 0, norm, refine, features=features)
        kinds, lengths = chosen_messages(messages), [1.0, *radii]
        self.attention_layers = nn.ModuleList(
            FrameAttention(kinds.reps(width), neighbours, length, norm)
            for width, length in zip(widths, lengths, strict=True)
        )

    def within(self, depth: int, x: Tensor, level: Level, frames: Frames) -> Tensor:
        """Attention among the points of a level."""
        out: Tensor = self.attention_layers[depth](x, table_edges(level.neighbours), level.pos, frames)
        return out
