"""The output of an estimator."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Prediction:
    """Normals of the requested rows, in their order.

    Attributes:
        normal: (M, 3) unit vectors; a row of zeros is "no normal" (all points of the cloud lie on a line or coincide).
        iterates: (S, M, 3) the normals before the final one: the guess, then each fit; S = 0 without fits.
        fallback: (M,) uint8, the source of the point's frame, as in ``Frames.fallback``.
    """

    normal: Tensor
    iterates: Tensor
    fallback: Tensor | None = None
