"""Five minutes of ``experiment=best`` on small generated data, and the first steps of the same run on the CPU.

Both are runs of ``train.py`` in the folder of the results. One that is stopped goes on from its last checkpoint.
"""

import csv
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.gpu.parts.normals import Items
from benchmarks.harness import Settings

ROOT = Path(__file__).parents[3]

FIVE_MINUTES, START_AND_END = 300.0, 25.0  # seconds

SMALL_DATA = (
    "data.train_shapes=16",
    "data.sampled_shapes=8",
    "data.val_shapes=1",
    "data.test_shapes=1",
    "data.points=30000",
    "data.test_points=5000",
)
QUICK = (
    "data.train_shapes=1",
    "data.sampled_shapes=0",
    "data.points=300",
    "data.samples.patch_points=96",
    "data.samples.most_points=96",
    "data.workers=0",
    "loader.workers=0",
)


def items(settings: Settings, folder: Path) -> Items:
    """The CPU's steps first: the curve of the other run is compared with them."""
    yield "training on the CPU", lambda: trained("cpu", "cpu", settings.size(40, 2), settings, folder)
    if settings.device.type != "cpu":
        yield "training on the device", lambda: compared(settings, folder)


def compared(settings: Settings, folder: Path) -> dict[str, Any]:
    """The run on the device in float32, and the largest relative difference of the losses of the common first steps."""
    left = settings.ends - time.monotonic() - START_AND_END
    limit = min(FIVE_MINUTES, left)
    if limit < START_AND_END:
        raise RuntimeError(f"expected at least {2 * START_AND_END} s, got {left + START_AND_END:.0f}; call again")
    found = trained("gpu", "gpu", limit, settings, folder)
    here, there = (losses(folder / f"training_{name}") for name in ("cpu", "gpu"))
    apart = [abs(a - b) / abs(a) for a, b in zip(here[:10], there, strict=False)]
    return {
        **found,
        "partial": limit < FIVE_MINUTES,
        "compared_steps": len(apart),
        "largest_difference_of_losses": max(apart, default=None),
    }


def trained(name: str, accelerator: str, limit: float, settings: Settings, folder: Path) -> dict[str, Any]:
    """Train for so many seconds in all, over several calls; returns the curve in means of a tenth of its steps.

    Raises:
        RuntimeError: no step was made.
    """
    run, log = (folder / f"training_{name}").resolve(), folder / f"training_{name}.txt"
    command = [sys.executable, *program(run, accelerator, limit, settings, folder.resolve() / "shapes")]
    with log.open("a", encoding="utf-8") as stream:
        code = finished(subprocess.Popen(command, cwd=ROOT, stdout=stream, stderr=subprocess.STDOUT))
    curve = losses(run)
    if not curve:
        raise RuntimeError(f"expected a training step, got exit code {code}; see {log.name}")
    part = max(1, len(curve) // 10)
    means = [round(sum(curve[row : row + part]) / part, 5) for row in range(0, len(curve) - part + 1, part)]
    return {"steps": len(curve), "first_losses": curve[:5], "means_of_tenths": means, "exit_code": code}


def program(run: Path, accelerator: str, limit: float, settings: Settings, shapes: Path) -> list[str]:
    """``train.py`` with its overrides; it goes on with a run that has a checkpoint."""
    minutes, seconds = divmod(int(limit), 60)
    small = QUICK if settings.quick else (f"data.workers={max(1, (os.cpu_count() or 2) // 2)}", "loader.workers=4")
    last = run / "checkpoints" / "last.ckpt"
    return [
        *(
            "train.py",
            "experiment=best",
            *SMALL_DATA,
            *small,
            f"data.root={shapes}",
            f"hydra.run.dir={run}",
            "test=false",
        ),
        *(f"trainer.accelerator={accelerator}", "trainer.deterministic=false", "trainer.log_every_n_steps=1"),
        *(f"+trainer.max_time=00:00:{minutes:02d}:{seconds:02d}", "trainer.limit_val_batches=1"),
        "callbacks.last.every_n_train_steps=50",
        *([f"ckpt_path={last}"] if last.is_file() else []),
    ]


def finished(process: subprocess.Popen[bytes]) -> int:
    """The exit code; the process ends with this one."""

    def stop(*_: object) -> None:
        process.terminate()
        sys.exit(1)

    with suppress(ValueError):  # signals are set in main threads alone
        signal.signal(signal.SIGTERM, stop)
    return process.wait()


def losses(run: Path) -> list[float]:
    """The training losses by step; none before the first."""
    file = run / "metrics.csv"
    if not file.is_file():
        return []
    with file.open(encoding="utf-8") as stream:
        return [float(row["train/loss"]) for row in csv.DictReader(stream) if row.get("train/loss")]
