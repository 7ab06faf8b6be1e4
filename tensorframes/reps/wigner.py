"""D_l(g), the matrices of O(3)'s irreducible representations."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tensorframes.reps.harmonics import coupling_on
from tensorframes.reps.precision import full_precision


@full_precision
def wigner_matrices(degrees: int, g: Tensor, couplings: Sequence[Tensor] | None = None) -> list[Tensor]:
    r"""D_0(g), ..., D_degrees(g) in e3nn's basis, of natural parity: D_l(-1) = (-1)^l.

    .. math:: D_1 = g, \qquad D_l = K^T (g \otimes D_{l-1})\, K, \qquad K = \mathrm{coupling}(1, l-1, l).

    Shapes: g (..., 3, 3), orthogonal; entry l is (..., 2l + 1, 2l + 1). Exact to rounding, differentiable in g.
    ``couplings``: K for l = 2, 3, ... (compiled code has no cache); by default copies that are kept on g's device.
    """
    matrices = [torch.ones(*g.shape[:-2], 1, 1, dtype=g.dtype, device=g.device)]
    if degrees >= 1:
        matrices.append(g)
    for degree in range(2, degrees + 1):
        if couplings is None:
            k = coupling_on(1, degree - 1, degree, g.dtype, g.device)
        else:
            k = couplings[degree - 2].to(g)
        half = torch.einsum("...ac,...bd,cdm->...abm", g, matrices[-1], k)
        matrices.append(torch.einsum("abn,...abm->...nm", k, half))
    return matrices
