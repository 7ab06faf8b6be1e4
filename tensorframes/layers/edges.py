"""Encodings of an edge: its vector, its length and its direction."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tensorframes.geometry.edges import edge_lengths
from tensorframes.geometry.radial import RadialEncoding
from tensorframes.reps.harmonics import spherical_harmonics

REACH = 4.0  # in units of ``length``; beyond it the radial encoding is constant


class EdgeEncoding(nn.Module):
    r"""An encoding of an edge in its receiver's frame, :math:`\hat r = R_i (x_j - x_i) / \ell`:

    .. math:: \hat r, \quad |\hat r|, \quad \cos\big(n \pi \min(|\hat r| / 4, 1)\big)_{n = 1 .. N}, \quad
        Y_l(\hat r / |\hat r|)_{l = 1 .. L},

    the real spherical harmonics Y_l of ``spherical_harmonics``, zero for an edge of length zero. In a local frame all
    of them are invariant.

    Args:
        length: l, in units of the positions.
        radial: N, how many cosines of the length (``RadialEncoding`` without its constant).
        directional: L, highest degree of the harmonics of the direction; d = 3 only, unless 0.
        d: dimension of space.

    Raises:
        ValueError: a length that is not positive, a negative number, or harmonics for d != 3.
    """

    def __init__(self, length: float = 1.0, radial: int = 0, directional: int = 0, d: int = 3) -> None:
        super().__init__()
        if not length > 0:
            raise ValueError(f"expected length > 0, got {length}")
        if min(radial, directional) < 0:
            raise ValueError(f"expected radial >= 0 and directional >= 0, got {radial} and {directional}")
        if directional and d != 3:
            raise ValueError(f"expected d=3 for harmonics of the direction, got d={d}")
        self.length, self.directional = length, directional
        self.radial = RadialEncoding(radial + 1) if radial else None
        self.dim = d + 1 + radial + directional * (directional + 2)

    def forward(self, edge: Tensor) -> Tensor:
        """(E, dim) from edges (E, d) in their receivers' frames."""
        edge = edge / self.length
        length = edge_lengths(edge).unsqueeze(-1)
        parts = [edge, length]
        if self.radial is not None:
            parts.append(self.radial(length.squeeze(-1) / REACH)[..., 1:])
        if self.directional:
            direction = edge / torch.where(length > 0, length, 1)
            some = (length > 0).to(edge.dtype)
            parts += [some * spherical_harmonics(degree, direction) for degree in range(1, self.directional + 1)]
        return torch.cat(parts, dim=-1)
