"""Functions of a distance: a smooth cut-off and a smooth encoding."""

import math

import torch
from torch import Tensor, nn

from tensorframes.geometry.checks import check_count


def envelope(u: Tensor) -> Tensor:
    """Smooth cut-off 1 - 10 u^3 + 15 u^4 - 6 u^5 on [0, 1], the quintic smoothstep turned down; elementwise.

    1 at u <= 0 and 0 at u >= 1, with first and second derivative zero at both ends (C2): what is multiplied by it fades
    smoothly as a neighbour leaves. u = distance / cut-off. It is DimeNet's envelope (Gasteiger et al. 2020, arXiv
    2003.03123, eq. 8) for p = 3: u = 1 - (p+1)(p+2)/2 u^p + p(p+2) u^(p+1) - p(p+1)/2 u^(p+2).
    """
    u = u.clamp(0.0, 1.0)
    return (1.0 - u) ** 3 * (1.0 + 3.0 * u + 6.0 * u * u)


class RadialEncoding(nn.Module):
    """A smooth encoding of distances: (...,) -> (..., count).

    b_n(u) = cos(n pi u), n = 0 .. count - 1, for u = distance / cut-off, held at its ends outside [0, 1]: the first
    terms of a cosine series, of which the n-th resolves distances 1 / n. Even in u, hence smooth in the coordinates
    also where two points meet; bounded by 1, where the Bessel basis sin(n pi u) / u (Gasteiger et al. 2020, arXiv
    2003.03123, eq. 7) grows with n. It does not vanish at u = 1: multiply by `envelope`.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        check_count(count, "count")
        self.count = count

    def forward(self, u: Tensor) -> Tensor:
        frequency = math.pi * torch.arange(self.count, dtype=u.dtype, device=u.device)
        return torch.cos(u.clamp(0.0, 1.0).unsqueeze(-1) * frequency)

    def extra_repr(self) -> str:
        return f"count={self.count}"
