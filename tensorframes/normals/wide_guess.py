"""A selection among planes of wide neighbourhoods, which average noise before any plane is fitted."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tensorframes.layers import Geometry, MultiScalePlanes, PlaneSizes, silu
from tensorframes.layers.multiscale_planes import interpolated
from tensorframes.parallel import parallel_map
from tensorframes.reps import full_precision


class WideGuess(nn.Module):
    r"""The weighted mean of the planes of wide neighbourhoods.

    .. math:: W_i = e^{s_i} \sum_k p_{ik}\, P_{ik}, \qquad p_i = \mathrm{softmax}(z_i)

    P are planes of all points that 16 to about 1,000 surrounding points represent (``planes_around``). Noise that is
    wider than the spacing of coarse points is not averaged by planes of these points, but by planes of all points that
    they represent. The scores z and the strength s are outputs of a network whose inputs are the shapes of the
    neighbourhoods, the distinctness of each plane, :math:`|P_{ik}|^2`, the agreement of neighbouring sizes,
    :math:`P_{ik} \cdot P_{i,k+1}`, the agreement with the network's own tensor, :math:`P_{ik} \cdot S_i / |S_i|`, and
    the embedding of the point. A function of the same inputs is added to the embedding.

    Args:
        embedding: width of the points' embedding.
        counts: for level 1, 2, ... of how many of its points, with all that they stand for, the neighbourhoods are
            made.
        hidden: width of the network.
    """

    depth, numbers = 1, 3  # level of the planes' centres, and how many numbers their shapes are

    def __init__(self, embedding: int, counts: Sequence[Sequence[int]], hidden: int = 32) -> None:
        super().__init__()
        self.sizes = PlaneSizes.checked(self.depth, counts)
        planes = self.sizes.planes
        known = embedding + (self.numbers + 2) * planes - 1
        self.own = nn.Linear(known, hidden)
        self.plane = nn.Linear(self.numbers + 2, hidden, bias=False)
        self.kind = nn.Parameter(0.3 * torch.randn(planes, hidden))
        self.score = nn.Sequential(silu(), nn.Linear(hidden, hidden), silu(), nn.Linear(hidden, 1))
        self.strength = nn.Sequential(nn.Linear(known, hidden), silu(), nn.Linear(hidden, 1))
        self.adds = nn.Sequential(nn.Linear(known, hidden), silu(), nn.Linear(hidden, embedding))
        with torch.no_grad():  # begin weaker than the guess, everywhere alike, and silent
            weight, bias = self.strength[-1].parameters()
            weight.zero_()
            bias.fill_(-1.0)
            for parameter in self.adds[-1].parameters():
                parameter.zero_()

    def plan(self, geometry: Geometry) -> MultiScalePlanes:
        """The planes of all points: they depend on the geometry alone."""
        return interpolated(geometry.planes_of(self.sizes), geometry)

    def forward(self, wide: MultiScalePlanes, tensor: Tensor, embedding: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """W (N, 3, 3), and the embedding (N, T) with the addition, from the network's tensors S (N, 3, 3) and the
        embedding (N, T); found in parts of ``size`` points."""
        parts = list(zip(wide.split(size), tensor.split(size), embedding.split(size), strict=True))
        tensors, embeddings = zip(*parallel_map(lambda part: self.of(*part), parts, embedding.device), strict=True)
        return torch.cat(tensors), torch.cat(embeddings)

    def of(self, wide: MultiScalePlanes, tensor: Tensor, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """The same of some points."""
        plane, point = known(wide, tensor)
        point = torch.cat([embedding, point], dim=-1)
        hidden = self.plane(plane)
        hidden += self.kind
        hidden += self.own(point).unsqueeze(1)
        share = self.score(hidden).squeeze(-1).to(wide.planes.dtype).softmax(-1)
        strength = self.strength(point).to(share.dtype).clamp(-8, 4).exp()
        return mean(wide.planes, share * strength), embedding + self.adds(point)


class NearGuess(WideGuess):
    """The same of neighbourhoods around the points themselves, from some ten points on (``planes_around``).

    Args:
        embedding: width of the points' embedding.
        counts: for level 0, 1, ... of how many of its points neighbourhoods are made.
        hidden: width of the network.
    """

    depth, numbers = 0, 4

    def plan(self, geometry: Geometry) -> MultiScalePlanes:
        """The planes of all points: they depend on the geometry alone."""
        return geometry.planes_of(self.sizes)


@full_precision
def mean(planes: Tensor, share: Tensor) -> Tensor:
    """Sums (N, 3, 3) of planes (N, S, 3, 3), each with its share (N, S)."""
    return (share.unsqueeze(1) @ planes.flatten(2)).view(-1, *planes.shape[2:])


@full_precision
@torch.no_grad()
def known(wide: MultiScalePlanes, tensor: Tensor) -> tuple[Tensor, Tensor]:
    """What is known of each plane (N, S, C), C two more than its shape's numbers, and of the points (N, C S - 1), from
    tensors (N, 3, 3)."""
    flat = wide.planes.flatten(2)
    size = tensor.square().sum((-1, -2)).sqrt().view(-1, 1, 1)
    agreement = flat @ (tensor.flatten(1).unsqueeze(-1) / torch.where(size > 0, size, torch.ones_like(size)))
    clear = flat.square().sum(-1, keepdim=True)
    alike = (flat[:, 1:] * flat[:, :-1]).sum(-1)
    return torch.cat([wide.shape, agreement, clear], dim=-1), torch.cat(
        [wide.shape.flatten(1), clear.squeeze(-1), alike], dim=-1
    )
