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
        error: (M, 3) the parameters of the distribution of the angle between the normal and the true one, see
            ``confidence.ErrorModel``; None: the network predicts none.
        evidence: (M, F) the invariants that ``error`` is computed from.
    """

    normal: Tensor
    iterates: Tensor
    fallback: Tensor | None = None
    error: Tensor | None = None
    evidence: Tensor | None = None

    def of(self, which: Tensor) -> Prediction:
        """The same of some of the points, by their places (K,)."""
        optional = (self.fallback, self.error, self.evidence)
        rest = (None if each is None else each.index_select(0, which) for each in optional)
        return Prediction(self.normal.index_select(0, which), self.iterates.index_select(1, which), *rest)
