"""The runs of a matrix as reports need them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

Scores = dict[int, dict[str, float]]
"""Seed -> cloud -> score."""

COSTS = {"seconds_per_step": ("seconds_per_step", "seconds_a_step"), "memory": ("peak_memory",)}
"""What a run costs, by the beginnings of the names in metrics.json."""


@dataclass(frozen=True)
class Record:
    """A finished run.

    Args:
        name: of the run. network, title, backbone, frames, messages, trained: what it trains, see the matrix.
        exact: whether it is exactly equivariant. seed: of the run. clouds: of its training; None: all.
        blocks: of the matrix that it is in. parameters: trained ones. seconds: in all.
        metrics: content of metrics.json, of `scoring.score_rotated`.
    """

    name: str
    network: str
    title: str
    backbone: str
    frames: str
    messages: str
    trained: str
    exact: bool
    seed: int
    clouds: int | None
    blocks: tuple[str, ...]
    parameters: int
    seconds: float
    metrics: Mapping[str, Any]

    def rotation(self, name: str) -> Mapping[str, Any]:
        """The scores under a rotation; empty if there are none."""
        found: Mapping[str, Any] = self.metrics["per_rotation"].get(name, {})
        return found

    def scores(self, rotation: str, key: str) -> dict[str, float]:
        """The score of each cloud, without those that have none."""
        clouds = self.rotation(rotation).get("per_cloud", {})
        return {name: entry[key] for name, entry in clouds.items() if entry.get(key) is not None}

    def class_mean(self, rotation: str, key: str) -> float | None:
        """The mean over classes of the means over their clouds."""
        groups: dict[str, list[float]] = {}
        clouds = self.rotation(rotation).get("per_cloud", {})
        for name, score in self.scores(rotation, key).items():
            groups.setdefault(clouds[name]["group"], []).append(score)
        return fmean(fmean(members) for members in groups.values()) if groups else None

    def cost(self, name: str) -> float | None:
        """The parameters, the seconds of a step or the peak memory in bytes; None if they were not measured."""
        if name == "parameters":
            return float(self.parameters)
        found = (value for key, value in plain_values(self.metrics) if key.startswith(COSTS[name]))
        return next((float(value) for value in found if isinstance(value, int | float)), None)


def plain_values(metrics: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The values of metrics at their first two levels, without scores."""
    for key, value in metrics.items():
        if key in ("per_rotation", "baselines"):
            continue
        if isinstance(value, Mapping):
            yield from value.items()
        else:
            yield key, value


@dataclass(frozen=True)
class Setup:
    """What a report says about how its numbers were made.

    Args:
        command: that made them. commit: of the code. machine: that wrote the report. planned: number of runs.
        score: main score, cosine_oriented or cosine_unoriented. rotation: main test rotation.
        counts: clouds of each split. data: name of the dataset.
    """

    command: str
    commit: str
    machine: str
    planned: int
    score: str
    rotation: str
    counts: Mapping[str, int]
    data: str = "modelnet40"

    @property
    def symbol(self) -> str:
        """The score in tables."""
        return "cos" if self.score == "cosine_oriented" else "|cos|"


Key = tuple[str, str, int | None]
"""Backbone, network and number of training clouds: the runs that differ in their seed alone."""


def by_key(records: Sequence[Record]) -> dict[Key, list[Record]]:
    """The runs of each network, in the order of their seeds."""
    found: dict[Key, list[Record]] = {}
    for record in sorted(records, key=lambda each: each.seed):
        found.setdefault((record.backbone, record.network, record.clouds), []).append(record)
    order = list(dict.fromkeys((each.backbone, each.network, each.clouds) for each in records))
    return {key: found[key] for key in order}


def scores_of(records: Sequence[Record], rotation: str, key: str) -> Scores:
    """The scores of some runs of one network by seed and cloud."""
    return {record.seed: record.scores(rotation, key) for record in records}
