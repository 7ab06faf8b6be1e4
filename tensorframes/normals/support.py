"""The support of planes through points: whether their inliers are those of a facet or an effect of regular sampling."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tensorframes.normals.candidates import linear_step, safe_divisor
from tensorframes.reps import full_precision

# Ranges over which the validity of a support rises from 0 to 1:
ISOTROPY = (0.1, 0.3)
INLIER_RATIO = (0.25, 0.4)
# and falls from 1 to 0:
COMPETITION = (0.3, 0.6)
TWO_SIDEDNESS = (0.4, 0.8)
SAME_PLANE = 0.9  # absolute cosine between normals, 26 degrees: planes at larger angles compete


@dataclass(frozen=True)
class Support:
    """The distribution of the inliers of C planes through each of M points.

    Attributes:
        isotropy: (M, C) 4 det S / (tr S)^2 of the second moments S of the inliers in the plane, about the point: 1 if
            they are isotropic, 0 if they are collinear.
        inlier_ratio: (M, C) number of inliers over the number of points up to the distance of the farthest inlier.
        competition: (M, C) the largest number of inliers of a plane at more than 26 degrees over the plane's own; the
            two neighbours that define a plane do not count.
        two_sidedness: (M, C) of the outliers up to the distance of the farthest inlier, the number on the side of the
            plane with fewer of them, over the number of inliers. Around a facet the surface bends to one side.
    """

    isotropy: Tensor
    inlier_ratio: Tensor
    competition: Tensor
    two_sidedness: Tensor

    def validity(self) -> Tensor:
        """(M, C) in [0, 1]: 0 where the inliers are collinear or few of the points around, where another plane has as
        many, or where there are outliers on both sides."""
        only = (1 - linear_step(self.competition, *COMPETITION)) * (1 - linear_step(self.two_sidedness, *TWO_SIDEDNESS))
        return linear_step(self.isotropy, *ISOTROPY) * linear_step(self.inlier_ratio, *INLIER_RATIO) * only

    def features(self) -> tuple[Tensor, ...]:
        """The four quantities as inputs of a network, each clamped to [0, 1]."""
        quantities = (self.isotropy, self.inlier_ratio, self.competition, self.two_sidedness)
        return tuple(each.clamp(0, 1) for each in quantities)


@full_precision
def support(edge: Tensor, normal: Tensor, tolerance: float) -> Support:
    r"""The support of planes through points.

    Of a surface that is sampled at random, more than three points lie exactly in a plane only where it is flat. Of a
    lattice, a scan line or rounded coordinates, points also lie exactly in planes that cross the surface. The
    intersection is a curve, so that their inliers are collinear and few of the points around, and there are several
    such planes at each point, while a point of a facet has one.

    Args:
        edge: (M, K, 3) vectors to the nearest neighbours, in units of the neighbourhood's size; edges of length zero
            (repeated points) do not count.
        normal: (M, C, 3) unit normals of planes through the point and two of the neighbours.
        tolerance: :math:`\tau`; a neighbour counts :math:`(1 + (n \cdot r / \tau)^4)^{-1}` as an inlier.
    """
    length = edge.norm(dim=-1, keepdim=True)
    height = edge @ normal.transpose(1, 2)  # (M, K, C)
    inlier = (height / tolerance).square_().square_().add_(1).reciprocal_() * (length > 0)
    outer = (edge.unsqueeze(-1) * edge.unsqueeze(-2)).flatten(2)
    moments = inlier.transpose(1, 2) @ outer  # (M, C, 9)
    squared_trace = moments[..., 0::4].sum(-1).square()
    isotropy = 2 * (squared_trace - moments.square().sum(-1)) / safe_divisor(squared_trace)
    radius = ((inlier > 0.5) * length).amax(1, keepdim=True)
    within = length <= radius * (1 + 1e-6)
    outlier = within & (inlier <= 0.5)
    fewer = torch.minimum((outlier & (height > 0)).sum(1), (outlier & (height < 0)).sum(1))
    count = inlier.sum(1)
    further = (count - 2).clamp_min(0)  # without the two neighbours that define the plane
    competes = (normal @ normal.transpose(1, 2)).abs_() < SAME_PLANE
    competitor = torch.where(competes, further.unsqueeze(1), 0).amax(-1)
    ratio = count / within.sum(1).clamp_min(1)
    return Support(isotropy, ratio, competitor / further.clamp_min(0.5), fewer / safe_divisor(count))
