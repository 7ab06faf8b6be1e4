"""Kills a run at random moments, continues it each time, and compares its losses with those of an uninterrupted run.

python scripts/kill_points.py --points 100

Processes are forked from one that has imported everything, and killed with SIGKILL anywhere between their start and
their end. The run is the small one of tests/cli, with a checkpoint every third step and a validation every fifth.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tensorframes.errors import LineParser, UserError, interruptible, loading

TESTS = Path(__file__).resolve().parents[1] / "tests" / "cli"
SETTINGS = (
    *(
        "experiment=tiny",
        "test=false",
        "loader.workers=0",
        "callbacks.last.every_n_train_steps=3",
        "~callbacks.progress",
    ),
    "ckpt_path=last",
)


def main() -> None:
    parser = LineParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=5, help="moments at which the run is killed (%(default)s)")
    parser.add_argument("--steps", type=int, default=60, help="of the run (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (%(default)s)")
    given = parser.parse_args()
    sys.path.insert(0, str(TESTS))
    with loading():
        import tensorframes.cli.training  # noqa: F401  # before the first fork
    with tempfile.TemporaryDirectory() as home:
        try:
            reached = compared(Path(home), given.points, given.steps, random.Random(given.seed))
        except UserError as error:
            parser.error(str(error))
    print(f"killed {given.points} times, at {', '.join(map(str, reached))} rows: the same losses as undisturbed")


def compared(home: Path, points: int, steps: int, moments: random.Random) -> list[int]:
    """The rows that were written at each kill.

    Raises:
        UserError: a run failed, or its rows are not those of the undisturbed one.
    """
    whole, killed, reached = home / "whole", home / "killed", []
    begun = time.perf_counter()
    expect(ended(start(whole, steps)) == 0, "an undisturbed run that succeeds", "a failure")
    seconds = time.perf_counter() - begun
    while len(reached) < points:
        process = start(killed, steps)
        time.sleep(moments.uniform(0, seconds))
        os.kill(process, signal.SIGKILL)
        if ended(process) == 0:
            killed.rename(home / f"whole{len(list(home.iterdir()))}")
            continue
        reached.append(len(rows(killed)))
    expect(ended(start(killed, steps)) == 0, "a run that goes on", f"a failure after {reached} rows")
    for folder in filter(Path.is_dir, home.iterdir()):
        expect(rows(folder) == rows(whole), "the rows of an undisturbed run", f"others after kills at {reached} rows")
    return reached


def start(folder: Path, steps: int) -> int:
    """A process that trains into a folder, or continues there; returns its number."""
    from tensorframes.cli import command_line, train

    process = os.fork()
    if process == 0:
        output = os.open(f"{folder}.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        words = ["--config-dir", str(TESTS / "configs"), *SETTINGS, f"trainer.max_steps={steps}"]
        sys.argv = ["train.py"]
        os._exit(command_line(train, "train", [*words, f"hydra.run.dir={folder}"]))
    return process


def ended(process: int) -> int:
    """The exit code of a process, below zero where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def rows(folder: Path) -> Sequence[object]:
    """The rows of a run."""
    from tensorframes.training import read_rows

    return read_rows(folder / "metrics.csv")


def expect(fulfilled: bool, expected: str, found: str) -> None:
    """Raises UserError unless fulfilled."""
    if not fulfilled:
        raise UserError(f"expected {expected}, got {found}")


if __name__ == "__main__":
    sys.exit(interruptible(main))
