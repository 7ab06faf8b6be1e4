"""The real network, small: two processes train as one, and a continued run as an undisturbed one."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from tensorframes.cli import command_line, train
from tensorframes.cli.checkpoint import load_estimator
from tests.normals.earlier import earlier_key, earlier_recipe

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    "data.train_shapes=3",
    "data.val_shapes=1",
    "data.test_shapes=1",
    "data.points=600",
    "data.test_points=600",
    "data.workers=0",
    "data.val_categories=[no_noise]",
    "data.samples.patch_points=96",
    "backbone.rounds=[1]",
    "features.multiscale_planes=[[8]]",
    "backbone.widths=[8,8]",
    "backbone.radii=[1.5]",
    "task.head.initial_selection.sources.region_planes.counts=[[8]]",
    "task.head.initial_selection.sources.local_planes.counts=[[8]]",
    "task.head.fit.neighbours=[8,4]",
    "backbone.neighbours=6",
    "trainer.val_check_interval=2",
    "trainer.log_every_n_steps=1",
    "trainer.accelerator=cpu",
    "loader.workers=0",
    "test=false",
    "callbacks.last=null",
]


def command(folder: Path, *settings: str) -> list[str]:
    """A run of train.py into a folder, with a dataset beside it."""
    return ["train.py", *SMALL, f"data.root={folder.parent / 'shapes'}", f"hydra.run.dir={folder}", *settings]


def losses(folder: Path) -> list[list[float]]:
    with (folder / "metrics.csv").open() as file:
        return [[float(value) for value in row.values() if value] for row in csv.DictReader(file)]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="gloo needs a Unix")
def test_two_processes_with_one_validation_cloud_are_as_one(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, processes in ((one, ()), (two, ("trainer=ddp", "trainer.devices=2"))):
        started = [sys.executable, *command(folder, "trainer.max_steps=4", *processes)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(started, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
    assert len(losses(one)) == 4
    for row, other in zip(losses(one), losses(two), strict=True):
        assert row == pytest.approx(other, rel=1e-3)


def give_earlier_names(checkpoint: Path) -> None:
    """Replace a checkpoint by one with the names that parameters and settings had earlier."""
    network = nn.ModuleDict({"estimator": load_estimator(checkpoint)})
    content = torch.load(checkpoint, weights_only=True)
    for key in ("state_dict", "current_model_state"):
        content[key] = {earlier_key(name, network): value for name, value in content[key].items()}
    assert content["state_dict"].keys() != network.state_dict().keys()
    for key in ("model", "config"):
        given = content["tensorframes"][key]
        content["tensorframes"][key] = earlier_recipe(given)
        assert content["tensorframes"][key] != given
    torch.save(content, checkpoint)


def test_a_continued_run_is_an_undisturbed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(name: str, *settings: str) -> list[list[float]]:
        constant = ("schedule.warmup=0", "schedule.floor=1")  # else the rate depends on max_steps
        monkeypatch.setattr(sys, "argv", command(tmp_path / name, *constant, *settings))
        assert command_line(train, "train") == 0
        return losses(tmp_path / name)

    whole = run("whole", "trainer.max_steps=4")
    first = run("parts", "trainer.max_steps=2")
    assert first == whole[:2]
    shutil.copytree(tmp_path / "parts", tmp_path / "earlier")
    parts = {name: tmp_path / name / "checkpoints" / "last.ckpt" for name in ("parts", "earlier")}
    give_earlier_names(parts["earlier"])
    for name, checkpoint in parts.items():
        assert run(name, "trainer.max_steps=4", f"ckpt_path={checkpoint}") == whole
    expected = torch.load(tmp_path / "whole" / "checkpoints" / "last.ckpt", weights_only=True)
    for checkpoint in parts.values():
        found = torch.load(checkpoint, weights_only=True)
        for key in ("state_dict", "current_model_state"):
            assert found[key].keys() == expected[key].keys()
            assert all(torch.equal(value, expected[key][name]) for name, value in found[key].items())
