"""Products of irreducible tensors: a tensor with an edge's direction, and the tensors of several neighbours fused."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tensorframes.geometry.checks import check_count
from tensorframes.geometry.edges import edge_lengths
from tensorframes.reps import IrrepBlock, Irreps
from tensorframes.reps.harmonics import coupling, spherical_harmonics


def natural_irreps(channels: int, degree: int) -> Irreps:
    """``channels`` copies of every degree up to ``degree``, of natural parity: ``"8x0e + 8x1o + 8x2e"``."""
    return Irreps([IrrepBlock(channels, each, (-1) ** each) for each in range(degree + 1)])


def coupling_paths(degree: int) -> list[tuple[int, int, int]]:
    """Degrees (a, b, c) up to ``degree`` that couple to c with natural parity: a + b + c even."""
    all_degrees = range(degree + 1)
    return [
        (a, b, c)
        for a in all_degrees
        for b in all_degrees
        for c in all_degrees
        if abs(a - b) <= c <= a + b and (a + b + c) % 2 == 0
    ]


class _Couplings(nn.Module):
    """The coupling coefficients of all paths, on the module's device."""

    def __init__(self, channels: int, degree: int) -> None:
        super().__init__()
        check_count(channels, "channels")
        if degree < 0:
            raise ValueError(f"expected degree >= 0, got {degree}")
        self.channels, self.degree = channels, degree
        self.irreps = natural_irreps(channels, degree)
        self.paths = coupling_paths(degree)
        for number, (a, b, c) in enumerate(self.paths):
            scale = (2 * c + 1) ** 0.5 / sum(path[2] == c for path in self.paths) ** 0.5
            self.register_buffer(f"coefficients{number}", scale * coupling(a, b, c), persistent=False)

    def coefficients(self, number: int, like: Tensor) -> Tensor:
        """The coupling coefficients (2a + 1, 2b + 1, 2c + 1) of a path, given by its number."""
        table: Tensor = getattr(self, f"coefficients{number}")
        return table.to(like.dtype)


class EdgeProduct(_Couplings):
    r"""Tensor product of a sender's tensors with the edge's direction, each path (a, b, c) weighted by its length:

    .. math:: m_{ij}^{(c)} = \sum_{a, b} w^{abc}_{ij} \odot
        \big(x_j^{(a)} \otimes Y_b(\hat r_{ij})\big)^{(c)}

    (Thomas et al. 2018, arXiv 1802.08219), with one weight w for each path and channel. Equivariant without frames: m
    rotates with x and r. An edge of length zero has no direction, only :math:`Y_0 = 1`.

    Args:
        channels: copies of every degree.
        degree: highest degree of x, of the harmonics and of m.
    """

    def forward(self, x: Tensor, edge: Tensor, weight: Tensor) -> Tensor:
        """m (E, irreps.dim) from x (E, irreps.dim), edges (E, 3) and weights (E, len(paths), channels)."""
        length = edge_lengths(edge).unsqueeze(-1)
        direction = edge / torch.where(length > 0, length, 1)
        some = (length > 0).to(edge.dtype)
        harmonics = [spherical_harmonics(b, direction) * (some if b else 1) for b in range(self.degree + 1)]
        parts = self.irreps.split(x)  # (E, channels, 2a + 1)
        sums = [torch.zeros_like(part) for part in parts]
        for number, (a, b, c) in enumerate(self.paths):
            turned = torch.einsum("eb,abm->eam", harmonics[b], self.coefficients(number, x))
            sums[c] = sums[c] + weight[:, number].unsqueeze(-1) * (parts[a] @ turned)
        return torch.cat([part.flatten(1) for part in sums], dim=-1)


class Fusion(_Couplings):
    r"""Products of a point's tensors, coupling one more neighbour (body) at a time:

    .. math:: B_1 = A, \qquad
        B_{n+1}^{(c)} = \sum_{a, b} W^{abc}_n \odot \big(B_n^{(a)} \otimes (V_n A)^{(b)}\big)^{(c)},

    V mixes the channels of each degree, W has one weight for each path and channel. It is a fusion diagram whose legs
    are sums over neighbours and whose inner lines carry every degree (Li et al. 2024, arXiv 2211.07482, section 3:
    fusion blocks). :math:`B_n` depends on n neighbours at once. Equivariant without frames.

    Args:
        channels: copies of every degree. degree: the highest. bodies: n of the last B.
    """

    def __init__(self, channels: int, degree: int, bodies: int) -> None:
        super().__init__(channels, degree)
        check_count(bodies, "bodies")
        self.bodies = bodies
        draw = torch.randn(bodies - 1, degree + 1, channels, channels) / channels**0.5
        self.mix = nn.Parameter(draw)
        self.weight = nn.Parameter(torch.randn(bodies - 1, len(self.paths), channels))

    def forward(self, x: Tensor) -> list[Tensor]:
        """B_1, ..., B_bodies, each (N, irreps.dim), from A (N, irreps.dim)."""
        start = self.irreps.split(x)
        fused, outputs = start, [x]
        for body in range(self.bodies - 1):
            legs = [torch.einsum("nca,cd->nda", part, self.mix[body, b]) for b, part in enumerate(start)]
            sums = [torch.zeros_like(part) for part in start]
            for number, (a, b, c) in enumerate(self.paths):
                table = self.coefficients(number, x)
                product = torch.einsum("nca,abm,ncb->ncm", fused[a], table, legs[b])
                sums[c] = sums[c] + self.weight[body, number].unsqueeze(-1) * product
            fused = sums
            outputs.append(torch.cat([part.flatten(1) for part in fused], dim=-1))
        return outputs
