"""Whether the points that lie exactly in a plane are those of a facet, or what regular sampling leaves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tensorframes.normals.candidates import positive, rising
from tensorframes.reps import full_precision

SPREAD = (0.1, 0.3)  # isotropy of the inliers between which a plane's support becomes valid
PORTION = (0.25, 0.4)  # share of the points around, the same
RIVALRY = (0.3, 0.6)  # inliers of a rival over those of the plane, between which it ceases to be
BALANCE = (0.4, 0.8)  # points around on the plane's emptier side over its inliers, the same
APART = 0.9  # cosine between normals below which planes are rivals, 26 degrees


@dataclass(frozen=True)
class Support:
    """How the inliers of C planes through each of M points lie.

    isotropy: (M, C) 4 det S / (tr S)^2 of the second moments S of the inliers in the plane, about the point: 1 where
        they lie on all sides, 0 where they lie on a line.
    portion: (M, C) inliers over the points that are not farther than the farthest inlier.
    rivalry: (M, C) the most inliers, beyond the three points that define a plane, of a plane at more than 26 degrees,
        over the plane's own.
    balance: (M, C) of the points not farther than the farthest inlier and off the plane, those on the side that has
        fewer of them, over the inliers: around a facet the surface bends away to one side, or is not reached.
    """

    isotropy: Tensor
    portion: Tensor
    rivalry: Tensor
    balance: Tensor

    def validity(self) -> Tensor:
        """(M, C) in [0, 1]: 0 where the inliers lie along a curve, are few of the points around, are rivalled, or where
        the surface goes through the plane."""
        alone = (1 - rising(self.rivalry, *RIVALRY)) * (1 - rising(self.balance, *BALANCE))
        return rising(self.isotropy, *SPREAD) * rising(self.portion, *PORTION) * alone

    def features(self) -> tuple[Tensor, ...]:
        """The four numbers as a network takes them, each in [0, 1]."""
        numbers = (self.isotropy, self.portion, self.rivalry, self.balance)
        return tuple(each.clamp(0, 1) for each in numbers)


@full_precision
def support(edge: Tensor, normal: Tensor, tolerance: float) -> Support:
    r"""The support of planes through points.

    A surface that is sampled at random has points exactly in a plane where it is flat, and nowhere else. A lattice, a
    scan line or rounded coordinates put points exactly into planes that cross the surface; there the plane meets the
    surface in a curve, so that its inliers lie along a line and are few of the points around, and the lattice has
    several such planes, where a point of a facet has one.

    Args:
        edge: (M, K, 3) from each point to its nearest, in units of the neighbourhood's size; length zero: no point.
        normal: (M, C, 3) unit normals of planes through the point and two of the nearest.
        tolerance: height at which a point counts half as an inlier, :math:`(1 + (n \cdot r / \tau)^4)^{-1}`.
    """
    length = edge.norm(dim=-1, keepdim=True)
    height = edge @ normal.transpose(1, 2)  # (M, K, C)
    inlier = (height / tolerance).square_().square_().add_(1).reciprocal_() * (length > 0)
    moment = (edge.unsqueeze(-1) * edge.unsqueeze(-2)).flatten(2)
    moments = inlier.transpose(1, 2) @ moment  # (M, C, 9)
    trace = moments[..., 0::4].sum(-1).square()
    isotropy = 2 * (trace - moments.square().sum(-1)) / positive(trace)
    farthest = ((inlier > 0.5) * length).amax(1, keepdim=True)
    within = length <= farthest * (1 + 1e-6)
    off = within & (inlier <= 0.5)
    least = torch.minimum((off & (height > 0)).sum(1), (off & (height < 0)).sum(1))
    count = inlier.sum(1)
    more = (count - 2).clamp_min(0)
    rivals = (normal @ normal.transpose(1, 2)).abs_() < APART
    most = torch.where(rivals, more.unsqueeze(1), 0).amax(-1)
    portion = count / within.sum(1).clamp_min(1)
    return Support(isotropy, portion, most / more.clamp_min(0.5), least / positive(count))
