"""PCPNet's protocol: which rows count, what a shape's, a category's and a method's numbers are.

A shape's RMSE is taken over its scored rows (its `.pidx`); a category's is the mean over its shapes; the average is the
unweighted mean over the categories present, however many shapes each has. Every other number that is a quality (each
PGP entry, the oriented RMSEs, CND) and the seconds are averaged by the same two steps; a null takes no part, and what
has nothing to average is null. Counts of points and rows are added up.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorframes.data import CATEGORIES, Cloud
from tensorframes.errors import UserError
from tensorframes.scoring.method import Method, timed_normals, truth_of
from tensorframes.scoring.metrics import Floats, angles, check_predictions, flipped, pgp, rmse

AVERAGED = ("rmse", "rmse_oriented", "rmse_oriented_flipped", "cnd", "seconds")
COUNTED = ("points", "scored", "no_normal", "not_finite")

Progress = Callable[[Sequence[int]], Iterable[int]]


def score(method: Method, clouds: Sequence[Cloud], progress: Progress | None = None) -> dict[str, Any]:
    """Score a method on clouds by the protocol.

    Args:
        method: points in, normals out.
        clouds: each with normals; `scored` names the rows that count (unlabelled ones do not), `category` the column
            they count in.
        progress: wraps the indices of the clouds while they are walked, as `rich.progress.track` does.

    Returns:
        "average", "per_category" by name (protocol order) and "per_cloud" by name, each with "rmse" (degrees,
        unoriented), "pgp" (shares in [0, 1] by degrees), "rmse_oriented" and "rmse_oriented_flipped" (null unless the
        method claims orientation and the cloud has it), "cnd" (RMSE against the nearest clean point's normal; null
        without a clean cloud), "seconds" (a cloud), and the counts "points", "scored", "no_normal", "not_finite".
        Further "method" (its name) and "warnings" (lines). Strict JSON holds all of it.

    Raises:
        UserError: if there are no clouds, one has no normals or no usable ones, or two have one name.
    """
    if len(clouds) == 0:
        raise UserError("expected at least one cloud to score, got none")
    per_cloud: dict[str, dict[str, Any]] = {}
    warnings: list[str] = []
    for index in (progress or iter)(range(len(clouds))):
        cloud = clouds[index]
        if cloud.name in per_cloud:
            raise UserError(f"expected clouds of different names, got {cloud.name!r} twice")
        per_cloud[cloud.name] = score_cloud(method, cloud)
        warnings += warnings_of(method, cloud, per_cloud[cloud.name])
    for line in warnings:
        logging.getLogger(__name__).warning(line)
    return {"method": method.name, "warnings": warnings, **aggregate(per_cloud), "per_cloud": per_cloud}


def score_cloud(method: Method, cloud: Cloud) -> dict[str, Any]:
    """One cloud's numbers and its category; the seconds are the method's alone."""
    rows = cloud.scored_rows
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
    Geometry", 2024, equation 3. Row i of `clean_pos` is where row i of the cloud was before the noise, so that the
    cloud's normals are the clean points' own; with another number of rows nothing says so, and the result is null too.
    Rows whose nearest clean point is unlabelled take no part; null where none is left.
    """
    if cloud.clean_pos is None or len(cloud.clean_pos) != len(cloud.pos):
        return None
    from scipy.spatial import cKDTree

    nearest = cKDTree(cloud.clean_pos).query(cloud.pos[rows])[1]
    known = cloud.labelled[nearest]
    return rmse(angles(normal[known], truth_of(cloud)[nearest[known]])) if known.any() else None


def warnings_of(method: Method, cloud: Cloud, entry: Mapping[str, Any]) -> list[str]:
    """What a reader of the cloud's numbers must know, a line each."""
    lines = []
    if method.oriented and not cloud.oriented:
        lines.append(f"{cloud.name}: the signs of its normals are not consistent, so it has no oriented score")
    if entry["not_finite"]:
        lines.append(f"{cloud.name}: {entry['not_finite']} normals of {method.name} not finite, scored as 90 degrees")
    return lines


def aggregate(per_cloud: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Entries of clouds, each of which names its "category", into "per_category" and "average"."""
    found = dict.fromkeys(entry["category"] for entry in per_cloud.values())
    names = [name for name in CATEGORIES if name in found] + [name for name in found if name not in CATEGORIES]
    per_category = {
        name: {"clouds": len(members), **mean_entry(members)}
        for name in names
        for members in [[entry for entry in per_cloud.values() if entry["category"] == name]]
    }
    average = {"clouds": len(per_cloud), **mean_entry(list(per_category.values()))}
    return {"average": average, "per_category": per_category}


def mean_entry(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Qualities and seconds averaged with equal weights, nulls left out; counts added."""
    means = {key: mean_or_none([entry[key] for entry in entries]) for key in AVERAGED}
    shares = {at: float(np.mean([entry["pgp"][at] for entry in entries])) for at in entries[0]["pgp"]}
    return {"rmse": means.pop("rmse"), "pgp": shares, **means, **{key: sum(e[key] for e in entries) for key in COUNTED}}


def mean_or_none(values: Sequence[float | None]) -> float | None:
    """The mean of what is there, None where nothing is."""
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None
