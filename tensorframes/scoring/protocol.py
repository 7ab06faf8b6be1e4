"""PCPNet's protocol: the scores of shapes, of categories and of methods.

The RMSE of a shape is taken over its `eval_index` (its `.pidx`). That of a category is the mean over its shapes, and
the average is the unweighted mean over the categories present, whatever their numbers of shapes. All other metrics
(PGP, oriented RMSE, CND) and the seconds are averaged in the same two steps; nulls are left out, and a mean of nothing
is null. Numbers of points and rows are summed.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorframes.data import CATEGORIES, Cloud
from tensorframes.data.samples import cloud_at
from tensorframes.errors import UserError
from tensorframes.progress import Progress, tracked
from tensorframes.scoring.method import Method, timed_normals, truth_of
from tensorframes.scoring.metrics import Floats, angles, check_predictions, flipped, pgp, rmse
from tensorframes.words import counted

AVERAGED = ("rmse", "rmse_oriented", "rmse_oriented_flipped", "cnd", "seconds")
COUNTED = ("points", "scored", "no_normal", "not_finite")


def score(method: Method, clouds: Sequence[Cloud], progress: Progress | None = None) -> dict[str, Any]:
    """Scores a method on clouds by the protocol.

    Args:
        method: the method to score.
        clouds: each with normals, scored at its `eval_index` in its `category`.
        progress: called with the number of clouds that are scored and their total number.

    Returns:
        "average", "per_category" by name (protocol order) and "per_cloud" by name, each with "rmse" (degrees,
        unoriented), "pgp" (shares in [0, 1] by degrees), "rmse_oriented" and "rmse_oriented_flipped" (null unless the
        method and the cloud are oriented), "cnd" (RMSE against the nearest clean point's normal; null
        without a clean cloud), "seconds" (per cloud), and the counts "points", "scored", "no_normal", "not_finite".
        Further "method" (its name) and "warnings" (lines). All of it is valid as strict JSON.

    Raises:
        UserError: there are no clouds, one is no `Cloud` or has no row to score, or two have the same name.
    """
    if len(clouds) == 0:
        raise UserError("expected at least one cloud to score, got none")
    per_cloud: dict[str, dict[str, Any]] = {}
    warnings: list[str] = []
    for cloud in _distinct(clouds, progress):
        per_cloud[cloud.name] = score_cloud(method, cloud)
        warnings += warnings_of(method, cloud, per_cloud[cloud.name])
    for line in warnings:
        logging.getLogger(__name__).warning(line)
    return {"method": method.name, "warnings": warnings, **aggregate(per_cloud), "per_cloud": per_cloud}


def check_clouds(clouds: Sequence[Cloud]) -> None:
    """Checks, before anything is scored, that clouds can be read and have different names.

    Raises:
        UserError: one is no `Cloud`, has values that are not finite, or has the name of another.
    """
    for _ in _distinct(clouds):
        pass


def _distinct(clouds: Sequence[Cloud], progress: Progress | None = None) -> Iterator[Cloud]:
    """The clouds one by one; errors as in `check_clouds`."""
    names: set[str] = set()
    for index in tracked(range(len(clouds)), progress):
        cloud = cloud_at(clouds, index)
        if cloud.name in names:
            raise UserError(f"expected clouds of different names, got {cloud.name!r} twice")
        names.add(cloud.name)
        yield cloud


def score_cloud(method: Method, cloud: Cloud) -> dict[str, Any]:
    """The scores of one cloud and its category; the seconds are those of the method alone."""
    rows = cloud.eval_index
    truth = truth_of(cloud)[rows]
    normal, seconds = timed_normals(method, cloud)
    checked = check_predictions(normal)
    degrees = angles(normal, truth)
    signed = angles(normal, truth, oriented=True) if method.oriented and cloud.oriented else None
    return {
        "category": cloud.category,
        "rmse": rmse(degrees),
        "pgp": pgp(degrees),
        "rmse_oriented": None if signed is None else rmse(signed),
        "rmse_oriented_flipped": None if signed is None else rmse(flipped(signed)),
        "cnd": chamfer_normal_distance(normal, cloud, rows),
        "seconds": seconds,
        "points": len(cloud.pos),
        "scored": len(rows),
        "no_normal": int(checked.no_normal.sum()),
        "not_finite": int(checked.not_finite.sum()),
    }


def chamfer_normal_distance(normal: Floats, cloud: Cloud, rows: NDArray[np.int64]) -> float | None:
    """RMSE in degrees against the normal of the nearest clean point (CND), null without a clean cloud.

    Li et al.: "CMG-Net: Robust Normal Estimation for Point Clouds via Chamfer Normal Distance and Multi-scale
    Geometry", 2024, equation 3. Row i of `clean_pos` is row i of the cloud before the noise, so that the cloud's
    normals are those of the clean points. The result is null if the numbers of rows differ. Rows whose nearest clean
    point is unlabelled are left out; the result is null if none remains.
    """
    if cloud.clean_pos is None or len(cloud.clean_pos) != len(cloud.pos):
        return None
    from scipy.spatial import cKDTree

    nearest = cKDTree(cloud.clean_pos).query(cloud.pos[rows])[1]
    labelled = cloud.labelled[nearest]
    return rmse(angles(normal[labelled], truth_of(cloud)[nearest[labelled]])) if labelled.any() else None


def warnings_of(method: Method, cloud: Cloud, entry: Mapping[str, Any]) -> list[str]:
    """Warnings about the scores of a cloud, one line each."""
    lines = []
    if method.oriented and not cloud.oriented:
        lines.append(f"{cloud.name}: the signs of its normals are not consistent, so it has no oriented score")
    if entry["not_finite"]:
        lines.append(
            f"{cloud.name}: {counted(entry['not_finite'], 'normal')} of {method.name} not finite, scored as 90 degrees"
        )
    return lines


def aggregate(per_cloud: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """ "per_category" and "average" of the entries of clouds, each with its "category"."""
    present = dict.fromkeys(entry["category"] for entry in per_cloud.values())
    names = [name for name in CATEGORIES if name in present] + [name for name in present if name not in CATEGORIES]
    per_category = {
        name: {"clouds": len(members), **mean_entry(members)}
        for name in names
        for members in [[entry for entry in per_cloud.values() if entry["category"] == name]]
    }
    average = {"clouds": len(per_cloud), **mean_entry(list(per_category.values()))}
    return {"average": average, "per_category": per_category}


def mean_entry(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Metrics and seconds averaged with equal weights, nulls left out; counts summed."""
    means = {key: mean_or_none([entry[key] for entry in entries]) for key in AVERAGED}
    shares = {at: float(np.mean([entry["pgp"][at] for entry in entries])) for at in entries[0]["pgp"]}
    return {"rmse": means.pop("rmse"), "pgp": shares, **means, **{key: sum(e[key] for e in entries) for key in COUNTED}}


def mean_or_none(values: Sequence[float | None]) -> float | None:
    """The mean of the values that are not None; None if all are."""
    present = [value for value in values if value is not None]
    return float(np.mean(present)) if present else None
