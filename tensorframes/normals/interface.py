"""The interface of estimators: what prediction, training and scoring use."""

from __future__ import annotations

from torch import Tensor, nn

from tensorframes.normals.prediction import Prediction


class Estimator(nn.Module):
    """A network from points to normals.

    A subclass defines ``forward``; the attributes have defaults.

    Attributes:
        oriented: whether the signs of its normals carry information.
        equivariant: whether the normals are exactly O(3)-equivariant (up to their signs, unless oriented).
        accepts_float64: whether positions may be float64 whatever the network's own precision. Otherwise they are
            rounded to that precision first.
        predicts_error: whether its predictions have the parameters of an error model (``Prediction.error``).
        needs_profile: whether it uses the surface-variation profile of the whole cloud. Patches and blocks of a cloud
            then need ``profile``.
        concurrent_points: points of the blocks of a large cloud that are processed at once on a CPU, each block on its
            share of the cores; one block at least. Memory is proportional to it.
    """

    oriented: bool = False
    equivariant: bool = False
    accepts_float64: bool = False
    predicts_error: bool = False
    needs_profile: bool = False
    concurrent_points: int = 250_000

    def forward(
        self,
        pos: Tensor,
        batch: Tensor | None = None,
        scale: Tensor | None = None,
        rows: Tensor | None = None,
        profile: Tensor | None = None,
    ) -> Prediction:
        """Normals of the points.

        Args:
            pos: (N, 3) finite positions.
            batch: (N,) cloud of each point, ascending; by default one cloud.
            scale: (B,) each cloud's length scale; by default ``geometry.cloud_scale``. For a patch of a cloud that of
                the whole cloud.
            rows: (M,) points whose normals are computed; by default all, in order.
            profile: (B, PROFILE_SIZE) each cloud's ``geometry.variation_profile``; by default measured, where the
                network uses it. For a patch of a cloud that of the whole cloud.
        """
        raise NotImplementedError

    def measured_profile(self, pos: Tensor, scale: float) -> Tensor | None:
        """(1, PROFILE_SIZE) the profile of one whole cloud, equal to what ``forward`` measures by default; for blocks.

        None if the network uses none.

        Args:
            pos: (N, 3) distinct points. scale: of the cloud.
        """
        return None
