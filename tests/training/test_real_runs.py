"""The real network, small: two processes train as one, and a continued run as an undisturbed one."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
    "backbone.widths=[8,8]",
    "backbone.radii=[1.5]",
    "task.head.neighbours=[8,4]",
    "backbone.neighbours=6",
    "trainer.val_check_interval=2",
    "trainer.log_every_n_steps=1",
    "trainer.accelerator=cpu",
    "loader.workers=0",
    "test=false",
    "callbacks.last=null",
]


def losses(folder: Path, *settings: str) -> list[list[float]]:
    shapes = f"data.root={folder.parent / 'shapes'}"
    done = subprocess.run(
        [sys.executable, "train.py", *SMALL, shapes, f"hydra.run.dir={folder}", *settings],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with (folder / "metrics.csv").open() as file:
        return [[float(value) for value in row.values() if value] for row in csv.DictReader(file)]


@pytest.mark.skipif(sys.platform == "win32", reason="gloo needs a Unix")
def test_two_processes_with_one_validation_cloud_are_as_one(tmp_path: Path) -> None:
    one = losses(tmp_path / "one", "trainer.max_steps=4")
    two = losses(tmp_path / "two", "trainer.max_steps=4", "trainer=ddp", "trainer.devices=2")
    assert len(one) == 4
    for row, other in zip(one, two, strict=True):
        assert row == pytest.approx(other, rel=1e-3)


def test_a_continued_run_is_an_undisturbed_one(tmp_path: Path) -> None:
    constant = ("schedule.warmup=0", "schedule.floor=1")  # else the rate depends on max_steps
    whole = losses(tmp_path / "whole", *constant, "trainer.max_steps=4")
    first = losses(tmp_path / "parts", *constant, "trainer.max_steps=2")
    checkpoint = tmp_path / "parts" / "checkpoints" / "last.ckpt"
    both = losses(tmp_path / "parts", *constant, "trainer.max_steps=4", f"ckpt_path={checkpoint}")
    assert first == whole[:2]
    assert both == whole
