"""The report of a matrix: paired differences by hand, verdicts that follow the numbers, tables and files."""

import csv
from pathlib import Path

import numpy as np
import pytest

from tensorframes.reports.matrix import Record, Setup, paired, slope, spread, verdicts, write_report

SETUP = Setup(
    "tensorframes reproduce", "abc", "a machine", 12, "cosine_oriented", "so3", {"train": 8, "val": 1, "test": 6}
)
CLOUDS = [f"cloud{index}" for index in range(6)]


def entry(cloud: int, score: float) -> dict:
    cosines = {"cosine_oriented": score, "cosine_unoriented": abs(score)}
    return {"group": str(min(cloud, 1)), **cosines, "rmse": 90 * (1 - score)}


def metrics(score: float, seed: int, rotations: dict[str, float]) -> dict:
    """Scores with the same noise of clouds and of seeds for every network, so that it cancels in differences."""
    noise = np.random.default_rng(seed).normal(0, 0.02, len(CLOUDS))
    found = {}
    for name, change in rotations.items():
        values = score + noise + change
        clouds = {cloud: entry(index, float(values[index])) for index, cloud in enumerate(CLOUDS)}
        keys = ("cosine_oriented", "cosine_unoriented", "rmse")
        means = {key: float(np.mean([each[key] for each in clouds.values()])) for key in keys}
        found[name] = {**means, "clouds": len(clouds), "per_cloud": clouds}
    return {"method": "network", "per_rotation": found, "training": {"seconds_per_step": 0.5}}


def record(network: str, score: float, seed: int = 0, clouds: int | None = None, **changes) -> Record:
    blocks = ("networks", "rotations") if clouds is None else ("data",)
    exact = not network.startswith("plain")
    rotations = changes.pop("rotations", {"so3": 0.0, "none": 0.0 if exact else 0.1})
    name, frames, parameters = f"pointnet2-{network}-{clouds}-{seed}", *(("learned", 2000) if exact else ("none", 1000))
    of = (name, network, network, "pointnet2", frames, "tensor", "off", exact, seed, clouds, blocks, parameters, 36.0)
    return Record(*of, metrics(score, seed, rotations))


def found(records: list[Record], beginning: str) -> tuple[str, str]:
    (verdict,) = [each for each in verdicts(records, SETUP) if each.text.startswith(beginning)]
    return verdict.outcome, verdict.found


def test_a_difference_by_hand():
    first = {0: {"a": 0.9, "b": 0.7, "only here": 0.0}, 1: {"a": 0.8, "b": 0.8}}
    second = {0: {"a": 0.8, "b": 0.7}, 1: {"a": 0.5, "b": 0.7}, 2: {"a": 0, "b": 0}}
    difference = paired(first, second)
    assert (difference.seeds, difference.clouds) == (2, 2)
    assert difference.mean == pytest.approx((0.1 + 0.0 + 0.3 + 0.1) / 4)
    seeds, clouds = np.var([0.05, 0.2], ddof=1) / 2, np.var([0.2, 0.05], ddof=1) / 2
    assert difference.error == pytest.approx(np.sqrt(seeds + clouds))
    assert difference.errors == pytest.approx(difference.mean / difference.error)
    assert 0 <= difference.low < difference.mean < difference.high <= 0.3 + 1e-9
    assert paired(first, {5: {"a": 1.0, "b": 1.0}}) is None


def test_intervals_hold_the_mean_as_often_as_they_say():
    rng, hits = np.random.default_rng(0), 0
    for _ in range(60):
        table = 0.3 * rng.normal(size=(8, 1)) + rng.normal(size=(1, 20)) + rng.normal(size=(8, 20))
        first = {seed: {str(cloud): float(table[seed, cloud]) for cloud in range(20)} for seed in range(8)}
        difference = paired(first, {seed: dict.fromkeys(first[seed], 0.0) for seed in first})
        hits += difference.low <= 0 <= difference.high
    assert hits >= 51


def test_one_value_has_no_spread():
    assert (spread([2.0]).deviation, spread([1.0, 3.0]).deviation) == (None, pytest.approx(np.sqrt(2)))


def test_verdicts_follow_the_numbers():
    better = [record("learned_tensor", 0.9, seed) for seed in range(3)]
    alike = [record("learned_scalar", 0.9 - 1e-9 * (-1) ** seed, seed) for seed in range(3)]
    worse = [record("plain_so3", 0.8 + 0.01 * seed, seed) for seed in range(3)]
    outcome, text = found([*better, *worse], "Learned frames with tensor messages beat no frames with SO(3)")
    assert outcome == "confirmed"
    assert text.startswith("+0.0900, +15.6 standard errors")
    swapped = [record("learned_tensor", 0.7, seed) for seed in range(3)]
    assert found([*swapped, *worse], "Learned frames with tensor messages beat no frames with SO(3)")[0] == "refuted"
    assert found([*better, *alike], "Tensor messages beat scalar messages in learned")[0] == "undecided"
    outcome, text = found([better[0], worse[0]], "Learned frames with tensor messages beat no frames with SO(3)")
    assert outcome == "undecided"
    assert "one seed, which decides nothing" in text
    assert found(better, "Frames refined")[0] == "not run"


def test_costs_are_ratios():
    records = [record(name, 0.9) for name in ("learned_tensor", "plain_so3")]
    (verdict,) = [each for each in verdicts(records, SETUP) if "no frames with SO(3)" in each.text]
    assert verdict.cost == "parameters × 2.00, time × 1.00"


def test_equivariance_is_judged_by_the_largest_change_of_a_cloud():
    text = "Networks in learned"
    assert found([record("learned_tensor", 0.9, rotations={"so3": 0, "o3": 1e-5})], text)[0] == "confirmed"
    assert found([record("learned_tensor", 0.9, rotations={"so3": 0, "o3": 1e-2})], text)[0] == "refuted"
    assert found([record("plain", 0.9, rotations={"so3": 0, "o3": 1e-2})], text)[0] == "not run"


def test_a_network_without_augmentation_loses():
    records = [record("plain", 0.8, seed, rotations={"so3": 0.01 * seed, "none": 0.1}) for seed in range(3)]
    assert found(records, "Without frames and augmentation")[0] == "confirmed"


def test_slopes_are_those_of_power_laws():
    assert slope([10, 100, 1000], [1.0, 0.1, 0.01]) == pytest.approx(-1)
    records = []
    for seed in range(3):
        for size in (10, 100, 1000):
            records += [record("learned_tensor", 1 - 2 * size ** (-0.5 - 0.01 * seed), seed, size)]
            records += [record("plain_so3", 1 - 0.5 * size ** (-0.2 - 0.02 * seed), seed, size)]
    outcome, text = found(records, "The error falls faster")
    assert outcome == "confirmed"
    assert text.startswith("exponents -0.")
    assert found(records, "With 10 training clouds")[0] == "refuted"
    assert found(records, "With 1,000 training clouds")[0] == "confirmed"


def test_a_report_has_everything(tmp_path: Path):
    records = [
        record(name, score, seed) for name, score in (("learned_tensor", 0.9), ("plain_so3", 0.8)) for seed in range(2)
    ]
    records += [record("plain_so3", score, 0, size) for size, score in ((10, 0.5), (100, 0.7))]
    text = write_report(records, SETUP, tmp_path).read_text()
    assert "6 of 12 runs" in text
    assert "0.1% of the training" in text
    assert "| learned_tensor | 2 | 0.9" in text
    assert "| this run |" in text
    assert "same within 0e+00" in text
    for block in ("networks", "rotations", "data"):
        assert (tmp_path / "tables" / f"{block}.md").read_text().startswith("| ")
        assert (tmp_path / "figures" / f"{block}.png").stat().st_size > 1000
    with (tmp_path / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert float(rows[0]["seconds_per_step"]) == 0.5
    assert (rows[0]["memory"], rows[0]["clouds"], rows[4]["clouds"]) == ("", "", "10")
    per_cloud = records[0].metrics["per_rotation"]["so3"]["per_cloud"]
    rare, common = per_cloud["cloud0"], [per_cloud[name] for name in CLOUDS[1:]]
    classes = (rare["cosine_oriented"] + np.mean([each["cosine_oriented"] for each in common])) / 2
    assert float(rows[0]["class_mean"]) == pytest.approx(classes)
