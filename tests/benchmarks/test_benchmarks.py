"""The benchmarks run, judge what they measure, and go on where they stopped."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import __main__ as table
from benchmarks import bench_large
from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import part
from benchmarks.gpu.kept import is_whole
from benchmarks.gpu.parts import memory, profile, training
from benchmarks.harness import Row, Settings, interleaved, peak_bytes, ratio
from benchmarks.networks import configuration
from benchmarks.rows import messages, neighbours, processes, shards
from tensorframes.data import read_cloud
from tensorframes.normals import estimate

QUICK = Settings(torch.device("cpu"), quick=True)


def test_a_row_is_judged() -> None:
    assert Row("", 1.2, "x", 1.2).verdict == Row("", 1.2, "x", 1.3, at_least=True).verdict == "met"
    assert Row("", 1.2, "x", 1.3).verdict == Row("", 1.2, "x", 1.1, at_least=True).verdict == "not met"
    assert Row("", 1.2, "x").verdict == Row("", 1.2, "x", 1.0, judged=False).verdict == "not judged"
    row = ratio("a", 2, [2.0, 4.0, 9.0], [1.0, 1.0, 3.0], judged=True)
    assert (row.measured, row.low, row.high) == (3.0, 2.0, 4.0)
    assert "| a | <= 2 x | 3 x (2 to 4) | not met |" in table.markdown([row])


def test_works_take_turns() -> None:
    order: list[str] = []
    works = {name: lambda name=name: order.append(name) for name in "ab"}
    taken = interleaved(works, 2, QUICK.device)
    assert "".join(order) == "ababab"
    assert {name: len(each) for name, each in taken.items()} == {"a": 2, "b": 2}


def test_the_largest_memory_is_that_of_all_tensors_at_once() -> None:
    def work() -> None:
        first = torch.zeros(1_000_000)
        second = first + 1
        del first
        torch.zeros(500_000) + second[:1]

    assert peak_bytes(work, QUICK.device) == pytest.approx(8e6, rel=0.1)


@pytest.mark.parametrize("module", [messages, neighbours, processes, shards], ids=lambda module: module.__name__)
def test_rows(module: ModuleType) -> None:
    rows = list(module.measured(QUICK))
    assert rows
    assert all(row.verdict == "not judged" for row in rows)
    assert all(row.measured is not None or row.note for row in rows)


@pytest.mark.parametrize("name", table.ROWS)
def test_every_row_exists(name: str) -> None:
    assert (Path(messages.__file__).parent / f"{name}.py").is_file()


@pytest.mark.parametrize("name", gpu.PARTS)
def test_every_part_has_items(name: str, tmp_path: Path) -> None:
    full = Settings(torch.device("cpu"))
    module = sys.modules.get(f"benchmarks.gpu.parts.{name}") or __import__(
        f"benchmarks.gpu.parts.{name}", fromlist=["items"]
    )
    names = [item for item, _ in module.items(full, tmp_path)]
    assert names
    assert len(set(names)) == len(names)


def test_what_was_measured_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def items(settings: Settings, folder: Path) -> Iterator[tuple[str, Any]]:
        yield "good", lambda: asked.append("good") or {"seconds": 1.0}
        yield (
            "bad",
            lambda: asked.append("bad") or (1 / 0 if len(asked) < 3 else {"seconds": 2.0, "partial": len(asked) < 4}),
        )

    monkeypatch.setattr(memory, "items", items)
    file = tmp_path / "memory.json"
    part.run("memory", tmp_path, QUICK)
    assert not is_whole(file)
    assert "ZeroDivisionError" in json.loads(file.read_text())["bad"]["failed"]
    part.run("memory", tmp_path, QUICK)
    assert not is_whole(file)
    part.run("memory", tmp_path, QUICK)
    assert is_whole(file)
    assert asked == ["good", "bad", "bad", "bad"]
    gpu.measure(tmp_path, "cpu", True, 0.0)  # no time: writes what there is
    assert "| good | seconds 1 |" in (tmp_path / "gpu.md").read_text()
    assert set(json.loads((tmp_path / "gpu.json").read_text())["memory"]) == {"good", "bad"}


def test_a_part_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    assert gpu.run_part("memory", tmp_path, "cpu", True, 0.05) == "stopped"


def test_a_profile_names_what_takes_time(tmp_path: Path) -> None:
    entry = profile.profiled("small", lambda: torch.eye(30) @ torch.eye(30), QUICK, tmp_path)
    assert "aten::mm" in (tmp_path / entry["table"]).read_text()
    assert entry["seconds"] > 0


def test_curves_are_read(tmp_path: Path) -> None:
    assert training.losses(tmp_path) == []
    (tmp_path / "metrics.csv").write_text("step,train/loss,val/rmse\n0,1.5,\n1,,3\n2,0.5,\n")
    assert training.losses(tmp_path) == [1.5, 0.5]


def test_the_recipe_composes(tmp_path: Path) -> None:
    for settings in (QUICK, Settings(torch.device("cpu"))):
        file, *overrides = training.program(tmp_path, "cpu", 75, settings, tmp_path / "shapes")
        cfg = configuration([override for override in overrides if not override.startswith("hydra.")])
        assert (file, cfg.trainer.max_time, cfg.trainer.deterministic) == ("train.py", "00:00:01:15", False)


def test_a_network_that_answers_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "normals_and_errors_of", estimate.normals_and_errors_of)  # the command replaces it
    source, target = tmp_path / "source.xyz", tmp_path / "target.ply"
    np.savetxt(source, bench_large.torus(500))
    assert bench_large.child("none", "250000", str(source), str(target)) == 0
    cloud = read_cloud(target)
    directions = cloud.pos - cloud.pos.mean(0)
    assert cloud.normal is not None
    assert ((directions * cloud.normal).sum(1) > 0.99 * np.linalg.norm(directions, axis=1)).all()
