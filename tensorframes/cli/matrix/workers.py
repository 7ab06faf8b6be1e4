"""The runs of a matrix or a shard of it shared among workers."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event

from tensorframes.cli.cli import SUCCESS
from tensorframes.cli.matrix.planned import PlannedRun
from tensorframes.cli.matrix.runs import make, outcome, start_here, starter
from tensorframes.errors import UserError

log = logging.getLogger(__name__)


def sharded(runs: Sequence[PlannedRun], shard: str) -> list[PlannedRun]:
    """Every n-th run from the i-th, for shard "i/n".

    Raises:
        UserError: it is not of that form, or i is not below n.
    """
    index, sign, count = shard.partition("/")
    if not (sign and index.isdigit() and count.isdigit() and int(index) < int(count)):
        raise UserError(f"expected shard=i/n with 0 <= i < n, got {shard}")
    return list(runs)[int(index) :: int(count)]


def make_all(runs: Sequence[PlannedRun], folder: Path, workers: int) -> list[str]:
    """Make runs, ``workers`` at a time, 0 in this process; returns the names of those that failed.

    Raises:
        UserError: of a mistake that all runs share; those under way are stopped.
    """
    if workers == 0:
        return [run.name for run in runs if not done(run, make(run, folder / run.name, start_here), folder)]
    queue: SimpleQueue[PlannedRun] = SimpleQueue()
    for run in runs:
        queue.put(run)
    stopped = Event()
    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(work, worker, workers, queue, folder, stopped) for worker in range(workers)]
        try:
            return [name for each in as_completed(waiting) for name in each.result()]
        except BaseException:
            stopped.set()
            raise


def work(worker: int, workers: int, queue: "SimpleQueue[PlannedRun]", folder: Path, stopped: Event) -> list[str]:
    """Make runs of the queue, one after another, until there are none; returns the names of those that failed."""
    failed, start = [], starter(worker, workers, stopped)
    while not stopped.is_set():
        try:
            run = queue.get_nowait()
        except Empty:
            break
        if not done(run, make(run, folder / run.name, start), folder):
            failed.append(run.name)
    return failed


def done(run: PlannedRun, code: int | None, folder: Path) -> bool:
    """Whether a run succeeded; logs how it ended."""
    log.info("%s", outcome(run, code, folder / run.name))
    return code in (None, SUCCESS)
