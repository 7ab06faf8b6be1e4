"""The output of an estimator."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Prediction:
    """Normals of the requested rows, in their order.

    Attributes:
        normal: (M, 3) unit vectors; a row of zeros is "no normal" (all points of the cloud lie on a line or coincide).
        iterates: (S, M, 3) the estimates before the final normals, the initial one first; S = 0 without fits.
        fallback: (M,) uint8, the source of the point's frame, as in ``Frames.fallback``.
        error: (M, 3) the parameters of the distribution of the angle between the normal and the true one, see
            ``confidence.ErrorModel``; None: the network predicts none.
        error_features: (M, F) the invariants that ``error`` is computed from.
    """

    normal: Tensor
    iterates: Tensor
    fallback: Tensor | None = None
    error: Tensor | None = None
    error_features: Tensor | None = None

    def index_select(self, index: Tensor) -> Prediction:
        """The prediction at some of the points, index (K,)."""
        optional = (self.fallback, self.error, self.error_features)
        rest = (None if each is None else each.index_select(0, index) for each in optional)
        return Prediction(self.normal.index_select(0, index), self.iterates.index_select(1, index), *rest)
