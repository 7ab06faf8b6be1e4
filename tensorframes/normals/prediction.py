"""The output of an estimator."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Prediction:
    """Normals of the points asked for, in their order.

    Attributes:
        normal: (M, 3) unit vectors; a row of zeros is "no normal" (all points of the cloud lie on a line or coincide).
        iterates: (S, M, 3) the normals it was corrected from: the first guess, then one fit after the other; S = 0
            where there is no fit.
        fallback: (M,) uint8, where the point's frame came from, as in ``Frames.fallback``.
    """

    normal: Tensor
    iterates: Tensor
    fallback: Tensor | None = None
