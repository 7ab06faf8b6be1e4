"""Normals on ModelNet40 under rotations of the test clouds: cosine similarity and RMSE.

The cosine similarity of a cloud is the mean over its `eval_index` of n . m (oriented) or |n . m| (unoriented); the
score is the mean over the clouds. A point without a normal counts as 0. Each cloud is rotated by an element of the
group that depends on its name and a seed alone, so that a partial copy of the data gets the same rotations.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorframes.data import Cloud
from tensorframes.data.transforms.augmentation import RandomRotation
from tensorframes.errors import UserError
from tensorframes.progress import Progress, tracked
from tensorframes.scoring.method import Method, timed_normals, truth_of
from tensorframes.scoring.metrics import angles, check_predictions, rmse
from tensorframes.scoring.protocol import mean_or_none, warnings_of

ROTATIONS = ("none", "z", "so3", "o3")
AVERAGED = ("cosine_unoriented", "cosine_oriented", "rmse", "seconds")
COUNTED = ("points", "scored", "no_normal", "not_finite")
OF_CLOUDS = ("group", "cosine_unoriented", "cosine_oriented", "rmse")


def score_rotated(
    method: Method,
    clouds: Sequence[Cloud],
    rotations: Sequence[str] = ROTATIONS,
    seed: int = 0,
    clouds_of_others: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Scores a method on clouds as they are and rotated.

    Args:
        method: the method to score.
        clouds: each with normals.
        rotations: of none, z (about the third axis), so3 (rotations), o3 (rotations and reflections).
        seed: of the rotations.
        clouds_of_others: number of clouds, evenly spaced in the sequence, that all rotations but the first are scored
            on; None: all. For methods that are equivariant, which a few clouds show.
        progress: called with the number of clouds that are scored and their total number.

    Returns:
        "per_rotation" by name, each with the means over the clouds of "cosine_unoriented", "cosine_oriented" (null
        unless the method and the cloud are oriented), "rmse" (degrees, unoriented), "seconds" (per cloud), the sums
        "points", "scored", "no_normal", "not_finite", "clouds", and "per_cloud": by name the cosines, the RMSE and the
        "group" of the cloud, its class or else its category. Further "method", "seed" and "warnings".

    Raises:
        UserError: a rotation is unknown, there are no clouds, two have the same name, or one has no normals.
    """
    unknown = [name for name in rotations if name not in ROTATIONS]
    if unknown or not rotations:
        raise UserError(f"expected rotations of {', '.join(ROTATIONS)}, got {', '.join(unknown) or 'none'}")
    if len(clouds) == 0:
        raise UserError("expected at least one cloud to score, got none")
    if clouds_of_others is not None and clouds_of_others < 1:
        raise UserError(f"expected clouds_of_others >= 1 or null, got {clouds_of_others}")
    entries: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in rotations}
    warnings: dict[str, None] = {}
    few = set(evenly_spaced(len(clouds), clouds_of_others))
    for number, cloud in enumerate(tracked(clouds, progress)):
        if cloud.name in entries[rotations[0]]:
            raise UserError(f"expected clouds of different names, got {cloud.name!r} twice")
        for name in rotations if number in few else rotations[:1]:
            entry = entries[name][cloud.name] = score_turned(method, turned_cloud(cloud, name, seed))
            warnings |= dict.fromkeys(warnings_of(method, cloud, entry))
    per_rotation = {name: summary(members) for name, members in entries.items()}
    return {"method": method.name, "seed": seed, "warnings": list(warnings), "per_rotation": per_rotation}


def evenly_spaced(length: int, count: int | None) -> list[int]:
    """At most ``count`` indices of a sequence, evenly spaced; all if it is None."""
    most = length if count is None else min(count, length)
    return [index * length // most for index in range(most)]


def turned_cloud(cloud: Cloud, rotation: str, seed: int) -> Cloud:
    """The cloud with points and normals multiplied by the element of the group given by its name and the seed.

    A normal is a polar vector: n -> g n, also for reflections.
    """
    if rotation == "none":
        return cloud
    name = int.from_bytes(hashlib.sha256(cloud.name.encode()).digest()[:8], "little")
    g = RandomRotation(rotation).draw(np.random.default_rng((seed, ROTATIONS.index(rotation), name)))
    return replace(cloud, pos=turned(cloud.pos, g), normal=turned(truth_of(cloud), g), clean_pos=None)


def turned(rows: NDArray, g: NDArray) -> NDArray:
    """g x for each row x (N, 3), computed in float64 and rounded to the dtype of the rows."""
    return (rows.astype(np.float64) @ g.T).astype(rows.dtype)


def score_turned(method: Method, cloud: Cloud) -> dict[str, Any]:
    """The scores of one cloud."""
    rows = cloud.eval_index
    truth = truth_of(cloud)[rows].astype(np.float64)
    normal, seconds = timed_normals(method, cloud)
    checked = check_predictions(normal)
    cosine = np.einsum("ni,ni->n", checked.normal, truth) / np.linalg.norm(truth, axis=1)
    return {
        "group": cloud.category if cloud.label is None else str(cloud.label),
        "cosine_unoriented": float(np.abs(cosine).mean()),
        "cosine_oriented": float(cosine.mean()) if method.oriented and cloud.oriented else None,
        "rmse": rmse(angles(normal, truth)),
        "seconds": seconds,
        "points": len(cloud.pos),
        "scored": len(rows),
        "no_normal": int(checked.no_normal.sum()),
        "not_finite": int(checked.not_finite.sum()),
    }


def summary(entries: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Means over the clouds, nulls left out, sums of the counts, and the scores cloud by cloud."""
    members = list(entries.values())
    means = {key: mean_or_none([entry[key] for entry in members]) for key in AVERAGED}
    counts = {key: sum(entry[key] for entry in members) for key in COUNTED}
    per_cloud = {name: {key: entry[key] for key in OF_CLOUDS} for name, entry in entries.items()}
    return {**means, "clouds": len(entries), **counts, "per_cloud": per_cloud}
