"""The tests marked ``gpu``."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.gpu.parts.normals import Items
from benchmarks.harness import Settings

ROOT = Path(__file__).parents[3]
FILES = ("tests/test_gpu.py", "tests/geometry/test_neighbours.py")  # others may need what a borrowed machine lacks


def items(settings: Settings, folder: Path) -> Items:
    """One run of pytest."""
    yield "tests marked gpu", lambda: tested(settings, folder)


def tested(settings: Settings, folder: Path) -> dict[str, Any]:
    """The last line of pytest; the whole report is in tests.txt.

    Raises:
        RuntimeError: a test fails.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "gpu", *FILES]
    environment = {**os.environ, "TENSORFRAMES_TEST_DEVICE": settings.device.type}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    (folder / "tests.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    last = (done.stdout.strip().splitlines() or ["no output"])[-1]
    if done.returncode:
        raise RuntimeError(f"{last}; see tests.txt")
    return {"outcome": last.strip("= ")}
