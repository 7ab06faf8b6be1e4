"""How far a method is from equivariant: do the normals of a turned cloud equal the turned normals?"""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from tensorframes.data import Cloud
from tensorframes.data.transforms.augmentation import RandomRotation
from tensorframes.scoring.method import Method, normals_at
from tensorframes.scoring.metrics import Floats, angles, check_predictions, rmse


@dataclass(frozen=True)
class EquivarianceError:
    """Angles in degrees between f(g x) and g f(x), over all points and all g drawn.

    The largest matters: an average hides the few points whose frames flip.
    """

    mean: float
    p99_9: float  # 99.9th percentile
    max: float
    rmse: float | None  # of the cloud as it is, degrees, unoriented; None without true normals
    rmse_change: float | None  # largest |change| of that RMSE under a g drawn
    elements: int  # how many g were drawn
    points: int

    def as_dict(self) -> dict[str, float | int | None]:
        """What JSON holds of it."""
        return asdict(self)


def equivariance_error(
    method: Method,
    cloud: Cloud,
    elements: int = 8,
    group: str = "o3",
    seed: int = 0,
    stored: type[np.floating] = np.float32,
) -> EquivarianceError:
    """Turn a cloud about its mean by random elements of a group and compare the normals of all its points.

    Scored rows are too few to see a tail: of 5,000, five are 0.1 %. The RMSE is that of the scored rows.

    The angle is oriented if the method is. Two rows without a normal agree (0 degrees), one without does not (90).
    The cloud is turned in float64 and rounded to ``stored``. In float32, as a user's rotated file would be, this
    rounding, not the method, leaves differences of the order of 1e-4 degrees, more where a method looks for exact
    planes and, where a symmetric neighbourhood has no answer, any. In float64 what is left is the method's own.

    Args:
        method: points in, normals out.
        cloud: any cloud; its true normals, if it has them, give the change of RMSE.
        elements: how many g are drawn.
        group: z, so3 or o3.
        seed: of the draws.
        stored: precision of the coordinates that the method is given.
    """
    if elements < 1:
        raise ValueError(f"expected at least one element of the group, got {elements}")
    rows, rng, rotation = cloud.scored_rows, np.random.default_rng(seed), RandomRotation(group)
    centred = cloud.pos - cloud.pos.mean(axis=0, dtype=np.float64)
    truth = cloud.normal[rows].astype(np.float64) if cloud.normal is not None and len(rows) else None
    still = normals_at(method, centred.astype(stored), None)
    start = None if truth is None else rmse(angles(still[rows], truth))
    degrees, changes = [], []
    for _ in range(elements):
        g = rotation.draw(rng)
        moved = normals_at(method, (centred @ g.T).astype(stored), None)
        degrees.append(disagreement(moved, still @ g.T, method.oriented))
        if truth is not None and start is not None:
            changes.append(abs(rmse(angles(moved[rows], truth @ g.T)) - start))
    found = np.concatenate(degrees)
    return EquivarianceError(
        mean=float(found.mean()),
        p99_9=float(np.percentile(found, 99.9)),
        max=float(found.max()),
        rmse=start,
        rmse_change=max(changes, default=None),
        elements=elements,
        points=len(cloud.pos),
    )


def disagreement(a: NDArray, b: NDArray, oriented: bool) -> Floats:
    """Angles (N,) in degrees between two methods' answers, each of which may be "no normal"."""
    missing = ~np.stack([check_predictions(a).normal.any(axis=1), check_predictions(b).normal.any(axis=1)])
    angle = angles(a, np.where(missing[1][:, None], [[0.0, 0.0, 1.0]], b), oriented)
    return np.where(missing.all(axis=0), 0.0, np.where(missing.any(axis=0), 90.0, angle))
