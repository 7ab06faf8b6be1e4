"""Runs of the matrix made: in processes of their own or in this one, each once, continued where they ended."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import torch

from tensorframes.atomic import replace_text
from tensorframes.cli.cli import MISTAKE, SUCCESS, command_line
from tensorframes.cli.matrix.composing import apart, own_folders
from tensorframes.cli.matrix.planned import PlannedRun
from tensorframes.cli.runs import CONFIG
from tensorframes.cli.training import train
from tensorframes.errors import INTERRUPTED, TERMINATED, UserError

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

RECORD, LOCK, OUTPUT = "matrix.json", "claimed.lock", "output.txt"
SECONDS = 1.0  # between looks at whether to stop
Start = Callable[[Sequence[str], Path, int], int]
"""Makes ``tensorframes train`` with words in a folder, under a claim; returns the exit code."""


def is_finished(folder: Path) -> bool:
    """Whether a run has its scores."""
    return (folder / "metrics.json").is_file()


def is_begun(folder: Path) -> bool:
    """Whether the settings and the data of a run were right once."""
    return (folder / CONFIG).is_file()


def record_of(folder: Path) -> dict[str, Any]:
    """What the matrix has noted of a run: its overrides and seconds; empty if it has not begun."""
    file = folder / RECORD
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def seconds_of(folder: Path) -> float:
    """Seconds that a run took, all its starts together; 0 if it has not begun."""
    return float(record_of(folder).get("seconds", 0.0))


def check_same_matrix(runs: Sequence[PlannedRun], folder: Path) -> None:
    """Check that runs which have begun have the settings of those planned.

    Raises:
        UserError: one has others.
    """
    for run in runs:
        before = record_of(folder / run.name).get("overrides")
        if before is not None and before != list(run.overrides) and is_begun(folder / run.name):
            changed = sorted(set(before) ^ set(run.overrides))
            raise UserError(
                f"expected the runs in {folder} to be of this matrix, got {run.name} with other settings "
                f"({', '.join(changed[:4])}): name another folder=..."
            )


@contextmanager
def claimed(folder: Path) -> Iterator[int | None]:
    """A context with the claim on a run, a lock on an open file; None if another process has it.

    Processes that inherit the file's descriptor hold the claim, too, so that a run whose parent was killed is not made
    a second time beside it. The system ends the claim with the last of them. There are no claims on Windows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
        yield file.fileno()


def make(run: PlannedRun, folder: Path, start: Start) -> int | None:
    """Make a run or what is left of it; returns its exit code, None if there was nothing to do or another makes it."""
    if is_finished(folder):
        return None
    with claimed(folder) as claim:
        if claim is None or is_finished(folder):
            return None
        begun, before = time.perf_counter(), seconds_of(folder)
        note = {"overrides": list(run.overrides), "seconds": before}
        replace_text(folder / RECORD, json.dumps(note, indent=2))
        code = start(words_of(run, folder), folder, claim)
        note["seconds"] = before + time.perf_counter() - begun
        replace_text(folder / RECORD, json.dumps(note, indent=2))
        return code


def words_of(run: PlannedRun, folder: Path) -> list[str]:
    """The words after ``tensorframes train``: a run from its beginning, or its continuation from last.ckpt."""
    last = folder / "checkpoints" / "last.ckpt"
    place = f"hydra.run.dir={quoted(folder)}"
    options = [word for path in own_folders() for word in ("--config-dir", path)]
    if last.is_file():
        return [*options, *run.overrides, f"ckpt_path={quoted(last)}", place]
    return [*options, *run.overrides, place]


def quoted(path: Path) -> str:
    """A path in an override."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def start_here(words: Sequence[str], folder: Path, claim: int) -> int:
    """``tensorframes train`` in this process, its errors in output.txt."""
    with apart(), (folder / OUTPUT).open("a", encoding="utf-8") as errors:
        return command_line(train, "train", list(words), ("train",), errors)


def starter(worker: int, workers: int, stopped: Event) -> Start:
    """``tensorframes train`` in a process of its own, its output in output.txt, on the worker's device or cores.

    It is terminated when ``stopped`` is set; a process started in the background may ignore SIGINT.
    """
    environment = device_of(worker, workers, os.environ, torch.cuda.device_count(), os.cpu_count() or 1)

    def start(words: Sequence[str], folder: Path, claim: int) -> int:
        command = [sys.executable, "-m", "tensorframes", "train", *words]
        with (folder / OUTPUT).open("a", encoding="utf-8") as output:
            kept = (claim,) if os.name == "posix" else ()
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, pass_fds=kept)
            while not stopped.is_set():
                try:
                    return process.wait(timeout=SECONDS)
                except subprocess.TimeoutExpired:
                    continue
            process.terminate()
            return process.wait()

    return start


def device_of(worker: int, workers: int, environment: Mapping[str, str], gpus: int, cores: int) -> dict[str, str]:
    """The environment of a worker's runs: GPUs in turn, or its share of the cores unless the user has set theirs."""
    found = dict(environment)
    if gpus > 1:
        visible = environment.get("CUDA_VISIBLE_DEVICES", "").split(",")
        names = visible if len(visible) == gpus else [str(index) for index in range(gpus)]
        found["CUDA_VISIBLE_DEVICES"] = names[worker % gpus]
    if gpus == 0 and workers > 1:
        found.setdefault("OMP_NUM_THREADS", str(max(1, cores // workers)))
    return found


def outcome(run: PlannedRun, code: int | None, folder: Path) -> str:
    """A line about a run that was made.

    Raises:
        KeyboardInterrupt: it was interrupted.
        UserError: it ended with a mistake that all runs share.
    """
    if code in (INTERRUPTED, TERMINATED):
        raise KeyboardInterrupt(f"{run.name} and what is left go on with the same command")
    if code is None:
        return f"{run.name}: done already, or another process makes it"
    if code == MISTAKE and is_shared(run, folder):
        raise UserError(f"{run.name}{last_line(folder).replace(': error: ', ': ', 1)}; no other run is tried")
    if code == SUCCESS:
        return f"{run.name}: {seconds_of(folder) / 60:.1f} minutes"
    return f"{run.name}: failed with exit code {code}{last_line(folder)}; see {folder / OUTPUT} and run.log there"


def is_shared(run: PlannedRun, folder: Path) -> bool:
    """Whether a mistake that ended a run is one of all runs: it was found before the first step.

    The number of training clouds may be wrong in some runs alone: then it is named, or others have begun.
    """
    named = "data.train_clouds" in last_line(folder)
    alone = run.clouds is not None and (named or any(is_begun(other) for other in folder.parent.iterdir()))
    return not is_begun(folder) and not alone


def last_line(folder: Path) -> str:
    """The last line that the process of a run printed, after a colon: what is wrong; empty where there is none."""
    file = folder / OUTPUT
    lines = file.read_text(encoding="utf-8", errors="replace").split("\n") if file.is_file() else []
    return next((f": {line.strip()}" for line in reversed(lines) if line.strip()), "")
