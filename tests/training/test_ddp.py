"""Two processes with the real network: the same losses and validation as one."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALL = (
    "data.train_shapes=3 data.val_shapes=1 data.test_shapes=1 data.points=600 data.test_points=600 data.workers=0 "
    "data.val_categories=[no_noise] data.samples.patch_points=96 backbone.widths=[8,8] backbone.radii=[1.5] "
    "task.head.neighbours=[8,4] backbone.neighbours=6 trainer.max_steps=4 trainer.val_check_interval=2 "
    "trainer.log_every_n_steps=1 trainer.accelerator=cpu loader.workers=0 test=false callbacks.last=null"
).split()


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
    one = losses(tmp_path / "one")
    two = losses(tmp_path / "two", "trainer=ddp", "trainer.devices=2")
    assert len(one) == 4
    for row, other in zip(one, two, strict=True):
        assert row == pytest.approx(other, rel=1e-3)
