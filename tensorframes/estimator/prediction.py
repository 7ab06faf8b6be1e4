"""What an estimator says of a cloud."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Prediction:
    """Normals of the points asked for, in their order.

    normal: (M, 3) unit vectors; a row of zeros is "no normal" (all points of the cloud lie on a line or coincide).
    guess: (M, 3) the network's first guess, before the plane fit; the normal itself where there is no fit.
    fallback: (M,) uint8, where the point's frame came from, as in ``Frames.fallback``.
    """

    normal: Tensor
    guess: Tensor
    fallback: Tensor
