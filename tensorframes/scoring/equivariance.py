"""The equivariance error of a method: normals of transformed clouds against transformed normals."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from tensorframes.data import Cloud
from tensorframes.data.transforms.augmentation import RandomRotation
from tensorframes.scoring.method import Method, normals_at
from tensorframes.scoring.metrics import Floats, angles, check_predictions, rmse


@dataclass(frozen=True)
class EquivarianceError:
    """Angles in degrees between f(g x) and g f(x), over all points and sampled elements g of the group.

    A mean hides the few points whose frames flip; the maximum and the percentile do not.

    Attributes:
        mean: of the angles.
        p99_9: their 99.9th percentile.
        max: the largest angle.
        rmse: error of the untransformed cloud, degrees, unoriented; None without true normals.
        rmse_change: largest absolute change of that RMSE over the sampled g.
        elements: number of sampled g.
        points: number of points.
    """

    mean: float
    p99_9: float
    max: float
    rmse: float | None
    rmse_change: float | None
    elements: int
    points: int

    def as_dict(self) -> dict[str, float | int | None]:
        """The fields as plain values, for JSON."""
        return asdict(self)


def equivariance_error(
    method: Method,
    cloud: Cloud,
    elements: int = 8,
    group: str = "o3",
    seed: int = 0,
    stored: type[np.floating] = np.float32,
) -> EquivarianceError:
    """Transforms a cloud about its mean by random elements of a group and compares the normals of all its points.

    All points are compared, because the rows of ``eval_index`` are too few for a tail: of 5,000, five are 0.1 %. The
    RMSE is taken over these rows.

    Angles are oriented if the method is. Two rows without a normal agree (0 degrees); a row with and one without differ
    by 90. The cloud is transformed in float64 and rounded to ``stored``. In float32, the precision of most files, this
    rounding changes normals by about 1e-4 degrees, by more if a method looks for exact planes, and arbitrarily in
    symmetric neighbourhoods, whose normal is undefined. In float64 the error is that of the method.

    Args:
        method: the method to measure.
        cloud: any cloud; its true normals, if any, are used for the change of RMSE.
        elements: number of sampled g.
        group: z, so3 or o3.
        seed: of the sampled g.
        stored: precision of the coordinates that the method is given.
    """
    if elements < 1:
        raise ValueError(f"expected at least one element of the group, got {elements}")
    rows, rng, rotation = cloud.eval_index, np.random.default_rng(seed), RandomRotation(group)
    centred = cloud.pos - cloud.pos.mean(axis=0, dtype=np.float64)
    truth = cloud.normal[rows].astype(np.float64) if cloud.normal is not None and len(rows) else None
    normals = normals_at(method, centred.astype(stored), None)
    start = None if truth is None else rmse(angles(normals[rows], truth))
    degrees, changes = [], []
    for _ in range(elements):
        g = rotation.draw(rng)
        transformed = normals_at(method, (centred @ g.T).astype(stored), None)
        degrees.append(disagreement(transformed, normals @ g.T, method.oriented))
        if truth is not None and start is not None:
            changes.append(abs(rmse(angles(transformed[rows], truth @ g.T)) - start))
    errors = np.concatenate(degrees)
    return EquivarianceError(
        mean=float(errors.mean()),
        p99_9=float(np.percentile(errors, 99.9)),
        max=float(errors.max()),
        rmse=start,
        rmse_change=max(changes, default=None),
        elements=elements,
        points=len(cloud.pos),
    )


def disagreement(a: NDArray, b: NDArray, oriented: bool) -> Floats:
    """Angles (N,) in degrees between two sets of normals, whose rows may be zero, "no normal"."""
    missing = ~np.stack([check_predictions(a).normal.any(axis=1), check_predictions(b).normal.any(axis=1)])
    angle = angles(a, np.where(missing[1][:, None], [[0.0, 0.0, 1.0]], b), oriented)
    return np.where(missing.all(axis=0), 0.0, np.where(missing.any(axis=0), 90.0, angle))
