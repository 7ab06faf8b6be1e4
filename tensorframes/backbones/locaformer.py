"""A transformer on local frames, after LoCaFormer: keys and values are tensorial messages."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from tensorframes.backbones.backbone import Backbone
from tensorframes.frames import FrameRefinement, Frames
from tensorframes.geometry import table_edges
from tensorframes.geometry.checks import check_count
from tensorframes.layers import MLP, EdgeEncoding, Geometry, NodeFeatures, Norm, Probe, check_widths, made_norm
from tensorframes.messages import FixedDegree, Messages, TensorialMessagePassing, local_edge_vectors
from tensorframes.messages.kinds import chosen_messages
from tensorframes.reps import Representation, representation


class FrameTransformerLayer(TensorialMessagePassing):
    r"""Multi-head attention over neighbours, then a perceptron, each with a preceding norm and a skip connection:

    .. math:: g_i &= f_i + W_o \sum_j a_{ij} \odot \big(W_v \rho(R_i R_j^T) f_j + V e_{ij}\big), \qquad
        a_{ij} = \mathrm{softmax}_j\; (W_q f_i) \cdot \big(W_k \rho(R_i R_j^T) f_j + K e_{ij}\big) / \sqrt{c}, \\
        f_i' &= g_i + h(g_i),

    with c channels a head (Vaswani et al. 2017, arXiv 1706.03762, section 3.2.2; norms as in Xiong et al. 2020, arXiv
    2002.04745) and :math:`e_{ij}` the edge in the receiver's frame with its encodings (``EdgeEncoding``). Attention
    with tensorial messages is due to Lippmann et al. (arXiv 2405.15389).

    Args:
        reps: of the features.
        degree: neighbours of every receiver; edges are sorted by receiver.
        heads: of the attention; the width ``reps.dim`` is a multiple.
        radial, directional: encodings of the edges.
        norm: ``"layer"`` as published, or ``"batch"``.

    Raises:
        ValueError: the width is no multiple of ``heads``.
    """

    in_chunks = True

    def __init__(
        self,
        reps: Representation | str,
        degree: int,
        heads: int = 4,
        radial: int = 8,
        directional: int = 2,
        norm: Norm = "layer",
    ) -> None:
        reps = representation(reps)
        super().__init__(transport={"x": reps}, aggr=FixedDegree("sum", degree))
        width = reps.dim
        if heads < 1 or width % heads:
            raise ValueError(f"expected heads that divide the width {width}, got {heads}")
        self.heads = heads
        self.norm = made_norm(norm, width)
        self.encode = EdgeEncoding(1.0, radial, directional, reps.d)
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.key_value_layer = nn.Linear(width, 2 * width, bias=False)
        self.edge_layer = nn.Linear(self.encode.dim, 2 * width)
        self.net = MLP([width, 2 * width, width], norm=norm)

    def forward(self, x: Tensor, edge_index: Tensor, pos: Tensor, frames: Frames) -> Tensor:
        """Features (N, reps.dim) from x (N, reps.dim)."""
        edge = self.edge_layer(self.encode(local_edge_vectors(pos, pos, edge_index, frames, self.fixed_degree)))
        x = x + self.out(self.propagate(edge_index, x=self.norm(x), edge=edge, frames=frames))
        out: Tensor = x + self.net(x)
        return out

    def message(self, x_i: Tensor, x_j: Tensor, edge: Tensor) -> Tensor:
        key, value = (self.key_value_layer(x_j) + edge).unflatten(-1, (2, self.heads, -1)).unbind(-3)
        query = self.query(x_i).unflatten(-1, (self.heads, -1))
        score = (query * key).sum(-1) / math.sqrt(key.shape[-1])  # (E, heads)
        share = score.unflatten(0, (-1, self.fixed_degree)).softmax(dim=1).flatten(0, 1)
        return (share.unsqueeze(-1) * value).flatten(-2)


class LoCaFormer(Backbone):
    """Attention layers on one graph in space, in frames, after LoCaFormer (Lippmann et al., arXiv 2405.15389).

    Attention with tensorial messages between local frames is theirs. The published network takes molecules; this one
    starts from node features, with the pre-norm transformer layer ``FrameTransformerLayer``.

    Args:
        messages: which representation features of a given width have.
        width: of the features throughout.
        layers: number of layers.
        heads: of the attention.
        neighbours: of every point.
        radial, directional: encodings of the edges, see ``EdgeEncoding``.
        norm: ``"layer"`` as published, or ``"batch"``.
        refine: rotate the frames after each layer (``FrameRefinement``).
        features: initial features of the points, see ``NodeFeatures``; by default moments.
        radii: spacing of the points of the coarse levels, see ``Backbone``; for features and heads.
    """

    def __init__(
        self,
        messages: Messages | None = None,
        width: int = 64,
        layers: int = 3,
        heads: int = 4,
        neighbours: int = 20,
        radial: int = 8,
        directional: int = 2,
        norm: Norm = "layer",
        refine: bool = False,
        features: NodeFeatures | None = None,
        radii: Sequence[float] = (1.5, 3.0, 6.0),
    ) -> None:
        super().__init__(features, radii)
        check_count(neighbours, "neighbours")
        check_count(layers, "layers")
        check_widths([width])
        self.neighbours = neighbours
        self.reps = chosen_messages(messages).reps(width)
        self.embed = MLP([self.features.reps.dim, width, width])
        self.embeddings = self.features.embeddings(width)
        self.layers = nn.ModuleList(
            FrameTransformerLayer(self.reps, neighbours, heads, radial, directional, norm) for _ in range(layers)
        )
        self.probes = nn.ModuleList(Probe(self.reps) for _ in range(layers + 1))
        self.refinements = nn.ModuleList(FrameRefinement(self.reps) for _ in range(layers)) if refine else None
        self.norm = made_norm(norm, width)

    def forward(self, geometry: Geometry, frames: Sequence[Frames]) -> tuple[Tensor, Frames]:
        """Features (N, reps.dim), and the frames they are expressed in."""
        level, own = geometry.levels[0], frames[0]
        x = self.embeddings(self.embed(self.features(geometry, 0, own)), geometry, 0, own)
        for depth, layer in enumerate(self.layers):
            x = layer(x, table_edges(level.neighbours), level.pos, own)
            if self.refinements is not None:
                x, own = self.refinements[depth](x, own)
            x = self.probes[depth](x, own)
        return self.probes[-1](self.norm(x), own), own
