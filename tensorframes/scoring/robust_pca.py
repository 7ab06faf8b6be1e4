"""PCA that leaves outliers out: planes fitted again with Tukey's weights."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tensorframes.scoring.classical import checked_k, neighbourhoods
from tensorframes.scoring.metrics import Floats

STEEPNESS = 2.0  # of the Gaussian: the weight at the bandwidth is exp(-2)
SIGMA_OF_MAD = 1.4826  # of a normal distribution
THIN = 0.1  # largest spread of the residuals, in bandwidths, for the last fit to count
EXTRAPOLATION = 0.8  # of the last correction of the normal


class Refit(NamedTuple):
    """One fit of the plane with Tukey's weights.

    Args:
        share: of the k points that are fitted. measured: share whose residuals give the spread. cutoff: c, in spreads.
    """

    share: float
    measured: float
    cutoff: float


REFITS = (
    Refit(112 / 224, 64 / 224, 4.15),
    Refit(128 / 224, 32 / 224, 2.77),
    Refit(128 / 224, 32 / 224, 2.77),
)


class RobustPCA:
    r"""Normal of a plane that is fitted to the k nearest points, then again without those far from it.

    1. The weighted plane of all k points, :math:`w_j = \exp(-2\, |x_j - x_i|^2 / h^2)`, h the distance to the point at
       half of k.
    2. Two fits with :math:`w_j\, (1 - (u_j - m)^2 / (c s)^2)_+^2`, Tukey's bisquare of the heights u over the plane
       before. m is their weighted median, s 1.4826 times their weighted median absolute deviation, both of the nearest
       points alone.
    3. A third one where s <= h / 10; its change of the normal is taken 1.8 times.

    A fit whose points with weight have no plane is left out.

    All constants are those of the finalist of a search on PCPNet's training clouds by A. Kapetanović
    (github.com/akapet00/point-cloud-central, experiments/normal-estimation, commit c529cef, MIT licence).
    Neighbourhoods without a plane have no normal (see PCA).

    Args:
        k: neighbours, the point itself included; the other numbers of points are shares of it.
    """

    oriented = False
    equivariant = True

    def __init__(self, k: int = 224) -> None:
        self.k = checked_k(k, least=21)
        self.name = f"robust PCA {k}"

    def __call__(self, points: NDArray, rows: NDArray | None = None) -> Floats:
        """Normals (M, 3) of the rows (M,) of points (N, 3), of all by default: unit, of arbitrary sign, or zero."""
        parts = [self.fit(near, origin, floor) for near, origin, floor in neighbourhoods(points, rows, self.k)]
        return np.concatenate(parts) if parts else np.zeros((0, 3))

    def fit(self, near: Floats, origin: Floats, floor: float) -> Floats:
        """Normals (B, 3) at the origins (B, 3) of neighbourhoods (B, k, 3), nearest points first."""
        square = np.square(near - origin[:, None]).sum(2)
        bandwidth = np.sqrt(square[:, [min(self.count(0.5), near.shape[1]) - 1]])  # (B, 1)
        weights = np.exp(-STEEPNESS * square / np.where(bandwidth > 0, bandwidth, 1.0) ** 2)
        centre, normal, defined = weighted_plane(near, weights, floor)
        least = np.maximum(np.sqrt(floor), np.finfo(np.float64).tiny)
        for number, refit in enumerate(REFITS):
            some, count = slice(self.count(refit.share)), self.count(refit.measured)
            heights = np.einsum("bki,bi->bk", near[:, some] - centre[:, None], normal)
            middle = weighted_median(heights[:, :count], weights[:, :count])
            off = np.abs(heights - middle)
            spread = np.maximum(SIGMA_OF_MAD * weighted_median(off[:, :count], weights[:, :count]), least)
            kept = np.square(np.clip(1 - np.square(off / (refit.cutoff * spread)), 0, None))
            nearer, found, better = weighted_plane(near[:, some], weights[:, some] * kept, floor)
            if number == 2:
                found, better = beyond(normal, found), better & (spread[:, 0] <= THIN * bandwidth[:, 0])
            centre, normal = (np.where(better[:, None], *pair) for pair in ((nearer, centre), (found, normal)))
        return np.where(defined[:, None], normal, 0.0)

    def count(self, share: float) -> int:
        """A share of the k neighbours."""
        return max(3, round(share * self.k))


def weighted_plane(near: Floats, weights: Floats, floor: float) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Centre (B, 3) and normal (B, 3) of the weighted least-squares planes of points (B, k, 3), and whether there is
    one (B,), as in ``classical.plane``."""
    share = weights / weights.sum(1, keepdims=True)
    centre = np.einsum("bk,bki->bi", share, near)
    centred = near - centre[:, None]
    spread, axes = np.linalg.eigh(np.swapaxes(centred * share[:, :, None], 1, 2) @ centred)
    return centre, axes[:, :, 0], spread[:, 1] - spread[:, 0] > 1e-10 * spread[:, 2] + floor


def weighted_median(values: Floats, weights: Floats) -> Floats:
    """The weighted medians (B, 1) of values (B, k): the first, in their order, that reaches half of the weight."""
    order = np.argsort(values, axis=1, kind="stable")
    total = np.take_along_axis(weights, order, 1).cumsum(1)
    place = (total >= 0.5 * total[:, -1:]).argmax(1)[:, None]
    return np.take_along_axis(np.take_along_axis(values, order, 1), place, 1)


def beyond(before: Floats, after: Floats) -> Floats:
    """Unit normals (B, 3) on the way from ``before`` through ``after``; their signs are arbitrary."""
    after = np.where((before * after).sum(1, keepdims=True) < 0, -after, after)
    further = after + EXTRAPOLATION * (after - before)
    return further / np.linalg.norm(further, axis=1, keepdims=True)
