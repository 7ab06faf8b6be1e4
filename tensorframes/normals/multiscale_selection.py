"""Soft selections among multi-scale and local planes, which average noise; parts of the initial estimate of
``PlaneFitHead``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tensorframes.layers import Geometry, MultiScalePlanes, PlaneSizes, silu
from tensorframes.layers.multiscale_planes import interpolated
from tensorframes.normals.candidates import safe_divisor
from tensorframes.parallel import parallel_map
from tensorframes.reps import full_precision


class MultiScalePlaneSelection(nn.Module):
    r"""The mean of multi-scale planes (``planes_around``), weighted by probabilities that a network computes:

    .. math:: W_i = e^{s_i} \sum_k p_{ik}\, P_{ik}, \qquad p_i = \mathrm{softmax}(z_i)

    Each plane P is fitted to all points of level 0 that 16 to about 1,000 surrounding points represent, so that noise
    wider than the spacing of coarse points is averaged. The logits z and the log strength s are functions of the shapes
    of the neighbourhoods, :math:`|P_{ik}|^2` (1 for an exact plane), the agreement of consecutive sizes,
    :math:`P_{ik} \cdot P_{i,k+1}`, the agreement with the network's own tensor, :math:`P_{ik} \cdot S_i / |S_i|`, and
    the embedding of the point. A perceptron of the invariants of the point is added to the embedding.

    Args:
        embedding: width E of the points' embedding.
        counts: for level 1, 2, ... the numbers of its points that make the neighbourhoods.
        hidden: width of the network.
    """

    depth, shape_width = 1, 3  # level of the planes' centres, and number of invariants in ``MultiScalePlanes.shape``

    def __init__(self, embedding: int, counts: Sequence[Sequence[int]], hidden: int = 32) -> None:
        super().__init__()
        self.sizes = PlaneSizes.checked(self.depth, counts)
        planes = self.sizes.planes
        width = embedding + (self.shape_width + 2) * planes - 1
        self.point_layer = nn.Linear(width, hidden)
        self.plane_layer = nn.Linear(self.shape_width + 2, hidden, bias=False)
        self.size_embedding = nn.Parameter(0.3 * torch.randn(planes, hidden))
        self.score = nn.Sequential(silu(), nn.Linear(hidden, hidden), silu(), nn.Linear(hidden, 1))
        self.strength = nn.Sequential(nn.Linear(width, hidden), silu(), nn.Linear(hidden, 1))
        self.embedding_net = nn.Sequential(nn.Linear(width, hidden), silu(), nn.Linear(hidden, embedding))
        with torch.no_grad():  # s is -1 and the contribution to the embedding 0 at all points
            weight, bias = self.strength[-1].parameters()
            weight.zero_()
            bias.fill_(-1.0)
            for parameter in self.embedding_net[-1].parameters():
                parameter.zero_()

    def plan(self, geometry: Geometry) -> MultiScalePlanes:
        """The planes of all points."""
        return interpolated(geometry.planes_of(self.sizes), geometry)

    def forward(self, planes: MultiScalePlanes, tensor: Tensor, embedding: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """W (N, 3, 3), and the embedding (N, E) with the contribution, from the network's tensors S (N, 3, 3) and the
        embedding (N, E); computed in chunks of ``size`` points."""
        chunks = list(zip(planes.split(size), tensor.split(size), embedding.split(size), strict=True))
        means, added = zip(*parallel_map(lambda chunk: self.select(*chunk), chunks, embedding.device), strict=True)
        return torch.cat(means), torch.cat(added)

    def select(self, planes: MultiScalePlanes, tensor: Tensor, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """The results of ``forward`` for one chunk."""
        plane, point = invariants(planes, tensor)
        point = torch.cat([embedding, point], dim=-1)
        hidden = self.plane_layer(plane)
        hidden += self.size_embedding
        hidden += self.point_layer(point).unsqueeze(1)
        probability = self.score(hidden).squeeze(-1).to(planes.planes.dtype).softmax(-1)
        strength = self.strength(point).to(probability.dtype).clamp(-8, 4).exp()
        return weighted_sum(planes.planes, probability * strength), embedding + self.embedding_net(point)


class LocalPlaneSelection(MultiScalePlaneSelection):
    """The same with local planes, of neighbourhoods of about ten points and more around the points of level 0.

    Args:
        embedding: width E of the points' embedding.
        counts: for level 0, 1, ... the numbers of its points that make the neighbourhoods.
        hidden: width of the network.
    """

    depth, shape_width = 0, 4

    def plan(self, geometry: Geometry) -> MultiScalePlanes:
        """The planes of all points."""
        return geometry.planes_of(self.sizes)


@full_precision
def weighted_sum(planes: Tensor, weight: Tensor) -> Tensor:
    """Sums (N, 3, 3) of planes (N, S, 3, 3) with weights (N, S)."""
    return (weight.unsqueeze(1) @ planes.flatten(2)).view(-1, *planes.shape[2:])


@full_precision
@torch.no_grad()
def invariants(planes: MultiScalePlanes, tensor: Tensor) -> tuple[Tensor, Tensor]:
    """Invariants of each plane (N, S, F + 2), with shapes (N, S, F), and of the points (N, (F + 2) S - 1), from the
    network's tensors (N, 3, 3)."""
    flat = planes.planes.flatten(2)
    norm = tensor.square().sum((-1, -2)).sqrt().view(-1, 1, 1)
    agreement = flat @ (tensor.flatten(1).unsqueeze(-1) / safe_divisor(norm))
    squared_norm = flat.square().sum(-1, keepdim=True)
    consecutive = (flat[:, 1:] * flat[:, :-1]).sum(-1)
    return torch.cat([planes.shape, agreement, squared_norm], dim=-1), torch.cat(
        [planes.shape.flatten(1), squared_norm.squeeze(-1), consecutive], dim=-1
    )
