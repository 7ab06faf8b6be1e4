"""Normals on ModelNet40 under rotations of the test clouds: cosine similarity and RMSE.

The cosine similarity of a cloud is the mean over its `eval_index` of n . m (oriented) or |n . m| (unoriented); the
score is the mean over the clouds. A point without a normal counts as 0. Each cloud is rotated by an element of the
group that depends on its name and a seed alone, so that a partial copy of the data gets the same rotations.

The scores of an exactly equivariant method are the same under every rotation. They are shown to be so on a few clouds;
the others are scored once.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tensorframes.data import Cloud
from tensorframes.data.samples import cloud_at
from tensorframes.data.transforms.augmentation import RandomRotation, turned
from tensorframes.errors import UserError
from tensorframes.progress import Progress, tracked
from tensorframes.scoring.method import Method, timed_normals, truth_of
from tensorframes.scoring.metrics import angles, check_predictions, rmse
from tensorframes.scoring.protocol import mean_or_none, warnings_of

ROTATIONS = ("none", "z", "so3", "o3")
AVERAGED = ("cosine_unoriented", "cosine_oriented", "rmse", "seconds")
COUNTED = ("points", "scored", "no_normal", "not_finite")
DIFFERING = ("cosine_unoriented", "cosine_oriented", "rmse")
OF_CLOUDS = ("group", *DIFFERING)
EQUAL = 1e-3
"""Largest difference of a cloud's cosine between rotations that are equal up to rounding."""


def score_rotated(
    method: Method,
    clouds: Sequence[Cloud],
    rotations: Sequence[str] = ROTATIONS,
    seed: int = 0,
    equal_on: int | None = 3,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Scores a method on clouds as they are and rotated.

    Args:
        method: the method to score.
        clouds: each with normals.
        rotations: of none, z (about the third axis), so3 (rotations), o3 (rotations and reflections).
        seed: of the rotations.
        equal_on: number of clouds, evenly spaced, that a method which is ``equivariant`` is scored on under all
            rotations. If no cosine of these clouds differs by more than EQUAL, the others are scored under the first
            rotation alone, and its scores are those of all. None: all clouds under all rotations.
        progress: called with the number of clouds that are scored and their total number.

    Returns:
        "per_rotation" by name, each with the means over the clouds of "cosine_unoriented", "cosine_oriented" (null
        unless the method and the cloud are oriented), "rmse" (degrees, unoriented), "seconds" (per cloud), the sums
        "points", "scored", "no_normal", "not_finite", "clouds", and "per_cloud": by name the cosines, the RMSE and the
        "group" of the cloud, its class or else its category. Further "method", "seed" and "warnings"; and where
        rotations were shown to be equal "equal_rotations": the "rotation" that was scored on all clouds, the number of
        "clouds" scored under the others, and the "largest_difference" between rotations of the scores of a cloud.

    Raises:
        UserError: a rotation is unknown, there are no clouds, one is no ``Cloud`` or has no normals, two have the same
            name, or equal_on is below 1.
    """
    unknown = [name for name in rotations if name not in ROTATIONS]
    if unknown or not rotations:
        raise UserError(f"expected rotations of {', '.join(ROTATIONS)}, got {', '.join(unknown) or 'none'}")
    if len(clouds) == 0:
        raise UserError("expected at least one cloud to score, got none")
    if equal_on is not None and equal_on < 1:
        raise UserError(f"expected equal_on >= 1 or null, got {equal_on}")
    few = evenly_spaced_rows(len(clouds), equal_on) if method.equivariant and equal_on and len(rotations) > 1 else []
    order = [*few, *sorted(set(range(len(clouds))) - set(few))]
    entries: list[dict[str, dict[str, Any]]] = [{} for _ in clouds]
    warnings: dict[str, None] = {}
    equal: dict[str, Any] | None = None
    for number, index in enumerate(tracked(order, progress)):
        if number == len(few) > 0:
            equal = equality([entries[each] for each in few], rotations[0])
            warnings |= dict.fromkeys([] if equal else [f"{method.name}: its scores depend on the rotation"])
        cloud = cloud_at(clouds, index)
        for name in rotations[:1] if equal else rotations:
            entries[index][name] = score_turned(method, turned_cloud(cloud, name, seed))
            warnings |= dict.fromkeys(warnings_of(method, cloud, entries[index][name]))
    scored = {name: [entry[rotations[0] if equal else name] for entry in entries] for name in rotations}
    per_rotation = {name: summary(members) for name, members in scored.items()}
    found = {"method": method.name, "seed": seed, "warnings": list(warnings), "per_rotation": per_rotation}
    return found | ({"equal_rotations": equal} if equal else {})


def evenly_spaced_rows(count: int, chosen: int) -> list[int]:
    """``chosen`` of ``count`` rows, evenly spaced; none if there are not more."""
    return [row * count // chosen for row in range(chosen)] if chosen < count else []


def equality(entries: Sequence[Mapping[str, Mapping[str, Any]]], rotation: str) -> dict[str, Any] | None:
    """The differences between rotations of the scores of clouds, entries[i][rotation]; None if they are not equal."""
    largest: dict[str, float] = {}
    for key in DIFFERING:
        scores = [[score[key] for score in entry.values()] for entry in entries]
        present = [each for each in scores if None not in each]
        if present:
            largest[key] = max(max(each) - min(each) for each in present)
    if max(value for key, value in largest.items() if key != "rmse") > EQUAL:
        return None
    return {"rotation": rotation, "clouds": len(entries), "largest_difference": largest}


def turned_cloud(cloud: Cloud, rotation: str, seed: int) -> Cloud:
    """The cloud with points and normals multiplied by the element of the group given by its name and the seed.

    A normal is a polar vector: n -> g n, also for reflections.
    """
    if rotation == "none":
        return cloud
    name = int.from_bytes(hashlib.sha256(cloud.name.encode()).digest()[:8], "little")
    g = RandomRotation(rotation).draw(np.random.default_rng((seed, ROTATIONS.index(rotation), name)))
    return replace(cloud, pos=turned(cloud.pos, g), normal=turned(truth_of(cloud), g), clean_pos=None)


def score_turned(method: Method, cloud: Cloud) -> dict[str, Any]:
    """The scores of one cloud."""
    rows = cloud.eval_index
    truth = truth_of(cloud)[rows].astype(np.float64)
    normal, seconds = timed_normals(method, cloud)
    checked = check_predictions(normal)
    cosine = np.einsum("ni,ni->n", checked.normal, truth) / np.linalg.norm(truth, axis=1)
    return {
        "name": cloud.name,
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


def summary(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over the clouds, nulls left out, sums of the counts, and the scores cloud by cloud.

    Raises:
        UserError: two clouds have the same name.
    """
    per_cloud = {entry["name"]: {key: entry[key] for key in OF_CLOUDS} for entry in entries}
    if len(per_cloud) < len(entries):
        names = [entry["name"] for entry in entries]
        raise UserError(f"expected clouds of different names, got {max(names, key=names.count)!r} twice")
    means = {key: mean_or_none([entry[key] for entry in entries]) for key in AVERAGED}
    counts = {key: sum(entry[key] for entry in entries) for key in COUNTED}
    return {**means, "clouds": len(entries), **counts, "per_cloud": per_cloud}
