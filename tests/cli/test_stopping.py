"""Runs that a signal or a full disk ends: what they keep, and that they go on from there as if undisturbed."""

import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tensorframes.cli.checkpoint import read_checkpoint
from tensorframes.cli.lock import locked
from tensorframes.errors import Stopped, UserError, ending, interruptible, signals_raise
from tests.cli.test_endings import assert_one_line
from tests.cli.test_runs import only_run, rows_of

App = Callable[..., Any]
RARELY = ("experiment=tiny", "test=false", "loader.workers=0", "callbacks.last.every_n_train_steps=100")


def signalled(step: int, name: str, *more: str) -> str:
    return f"+callbacks.ending={{{','.join(['_target_:standin.Signalled', f'step:{step}', f'name:{name}', *more])}}}"


@pytest.fixture
def handlers() -> Iterator[None]:
    """The handlers of signals are afterwards what they were before."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
    before = {signum: signal.getsignal(signum) for signum in signals}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


@pytest.mark.parametrize(
    ("name", "verb", "code"),
    [("SIGTERM", "terminated", 143), ("SIGINT", "interrupted", 130), ("SIGUSR1", "stopped by SIGUSR1", 138)],
)
def test_a_signal_ends_the_run_with_a_checkpoint_of_that_step(
    app: App, handlers: None, monkeypatch: pytest.MonkeyPatch, name: str, verb: str, code: int
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell starts what runs in the background
    if name == "SIGUSR1":
        monkeypatch.setenv("SLURM_JOB_ID", "7")
    ended = app("train", *RARELY, signalled(2, name))
    folder = only_run("tiny")
    last = folder / "checkpoints" / "last.ckpt"
    assert_one_line(ended, code, f"{verb}: ckpt_path={last} goes on from step 3\n")
    assert read_checkpoint(last)["global_step"] == 3
    assert [row["step"] for row in rows_of(folder)] == ["0", "1", "2"]
    assert {path.name for path in Path().iterdir()} == {"outputs"}  # no hpc_ckpt_1.ckpt
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_further_process_that_stops_is_no_failure(
    app: App, handlers: None, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Lightning would kill the first one, which may still be at work."""
    monkeypatch.setattr("tensorframes.cli.cli.process_rank", lambda command: 1)
    assert app("train", *RARELY, signalled(2, name))[::2] == (0, "")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_to_the_loader_too_loses_nothing(app: App, handlers: None, name: str) -> None:
    code, _, _ = app("train", *RARELY, "loader.workers=1", signalled(2, name))
    assert code == {"SIGTERM": 143, "SIGINT": 130}[name]
    assert read_checkpoint(only_run("tiny") / "checkpoints" / "last.ckpt")["global_step"] == 3


def test_a_stopped_run_goes_on_as_if_undisturbed(app: App) -> None:
    assert app("train", *RARELY, "hydra.run.dir=whole")[0] == 0
    for step in (2, 4):  # 4: before a validation
        again = ("train", *RARELY, f"hydra.run.dir=stopped{step}", "ckpt_path=last")
        assert app(*again, signalled(step, "SIGTERM"))[0] == 143
        assert app(*again)[0] == 0
        assert rows_of(Path(f"stopped{step}")) == rows_of(Path("whole"))
        code, out, _ = app(*again)
        assert (code, "finished before" in out) == (0, True)


@pytest.mark.parametrize("validated", [0, 3])
def test_a_run_that_a_callback_ends_goes_on_as_if_undisturbed(app: App, validated: int) -> None:
    given = ("train", *RARELY, f"data.validated={validated}")
    assert app(*given, "hydra.run.dir=whole")[0] == 0
    again = (*given, "hydra.run.dir=parts", "ckpt_path=last")
    assert app(*again, "+callbacks.ending={_target_:standin.Ended,step:7}")[0] == 0
    assert read_checkpoint(Path("parts/checkpoints/last.ckpt"))["global_step"] == 7
    assert app(*again)[0] == 0
    whole, parts = ([row for row in rows_of(Path(name)) if row["train/loss"]] for name in ("whole", "parts"))
    assert [row["train/loss"] for row in parts] == [row["train/loss"] for row in whole]


def test_validations_are_counted_in_steps_where_gradients_are_accumulated(app: App) -> None:
    given = (*RARELY, "trainer.accumulate_grad_batches=2")
    assert app("train", *given, "hydra.run.dir=whole")[0] == 0
    validated = [row["step"] for row in rows_of(Path("whole")) if row["val/rmse"]]
    assert validated == ["4", "9", "11"]  # after every 5 steps of 12, and at the last one
    again = ("train", *given, "hydra.run.dir=stopped", "ckpt_path=last")
    assert app(*again, signalled(7, "SIGTERM"))[0] == 143
    assert app(*again)[0] == 0
    assert rows_of(Path("stopped")) == rows_of(Path("whole"))


@pytest.mark.parametrize("validated", [0, 3])
def test_a_finished_run_goes_on_wherever_it_ended(app: App, validated: int) -> None:
    given = (*RARELY, "schedule.warmup=0", "schedule.floor=1", f"data.validated={validated}")
    assert app("train", *given, "trainer.max_steps=9", "hydra.run.dir=whole")[0] == 0
    for steps in (7, 9):  # a validation every five, and at the last
        assert app("train", *given, f"trainer.max_steps={steps}", "hydra.run.dir=parts", "ckpt_path=last")[0] == 0
    whole, parts = rows_of(Path("whole")), rows_of(Path("parts"))
    assert [row["train/loss"] for row in parts] == [row["train/loss"] for row in whole]
    assert parts[-1] == whole[-1]


def test_a_run_that_goes_on_has_the_optimiser_of_its_command_line(app: App) -> None:
    given = ("train", *RARELY, "schedule.warmup=0", "schedule.floor=1", "hydra.run.dir=run", "ckpt_path=last")
    begins = "run: no run to continue, a new one begins"
    code, out, _ = app(*given, "trainer.max_steps=2", "optimizer.lr=0.003")
    assert (code, begins in out) == (0, True)
    code, out, _ = app(*given, "trainer.max_steps=4", "optimizer.lr=0.0002", "optimizer.weight_decay=0.5")
    assert (code, begins in out) == (0, False)
    rates = [float(row["train/lr"]) for row in rows_of(Path("run")) if row["train/lr"]]
    assert rates == pytest.approx([0.003, 0.003, 0.0002, 0.0002])
    groups = read_checkpoint(Path("run/checkpoints/last.ckpt"))["optimizer_states"][0]["param_groups"]
    assert [group["weight_decay"] for group in groups] == [0.5, 0.0]


def test_a_signal_in_the_last_step_leaves_nothing_but_the_test_undone(app: App) -> None:
    once = ("train", "experiment=tiny", "trainer.max_steps=2", "test_clouds=1", "hydra.run.dir=run", "ckpt_path=last")
    assert_one_line(app(*once, signalled(1, "SIGTERM")), 143, "goes on from step 2")
    scoring = "+baselines.stop._target_=standin.TerminatedMethod"
    assert_one_line(app(*once, scoring), 143, "terminated: ckpt_path=run/checkpoints/last.ckpt goes on from step 2")
    assert not Path("run/metrics.json").is_file()
    assert "val/rmse" in rows_of(Path("run"))[-1]
    assert app(*once)[0] == 0
    assert Path("run/metrics.json").is_file()


def test_a_second_signal_ends_the_run_at_once(app: App) -> None:
    assert_one_line(app("train", *RARELY, signalled(2, "SIGINT", "again:true")), 130, "no checkpoint was written yet")


def test_checkpoints_of_others_in_the_current_folder_are_not_continued(app: App) -> None:
    Path("hpc_ckpt_1.ckpt").write_text("of another program")
    assert app("train", *RARELY, "trainer.max_steps=1")[0] == 0


def test_in_a_job_of_submitit_its_handler_requeues_after_the_checkpoint(
    app: App, handlers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def requeue(*_: object) -> None:
        assert read_checkpoint(only_run("tiny") / "checkpoints" / "last.ckpt")["global_step"] == 3
        raise KeyboardInterrupt("requeued")

    monkeypatch.setenv("SUBMITIT_EXECUTOR", "local")
    signal.signal(signal.SIGUSR2, requeue)
    assert_one_line(app("train", *RARELY, signalled(2, "SIGUSR2")), 130, "interrupted: requeued")


def test_signals_outside_of_training_end_a_program_too(handlers: None) -> None:
    with pytest.raises(Stopped) as caught, signals_raise((signal.SIGTERM,)):
        signal.raise_signal(signal.SIGTERM)
    assert ending(caught.value) == ("terminated", 143)
    assert ending(KeyboardInterrupt()) == ("interrupted", 130)

    def stopped() -> None:
        raise Stopped(signal.SIGTERM, "nothing is lost")

    assert interruptible(stopped) == 143


def test_two_runs_in_one_folder_are_refused(app: App) -> None:
    held = "import fcntl, sys\nfile = open('run/.lock', 'a')\nfcntl.lockf(file, fcntl.LOCK_EX)\n"
    held += "file.write('process 7 on there')\nfile.flush()\nprint('held', flush=True)\nsys.stdin.read()"
    Path("run").mkdir()
    other = subprocess.Popen([sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    ended = app("train", *RARELY, "hydra.run.dir=run")
    assert_one_line(ended, 2, "expected a folder that no other run trains into, got ")
    assert "run, where process 7 on there does" in ended.err
    other.kill()  # whatever it may leave behind
    other.communicate()
    with locked(Path("run")):
        pass


def test_a_new_run_in_the_folder_of_another_is_refused(app: App) -> None:
    given = ("train", *RARELY, "trainer.max_steps=2")
    assert app(*given, "hydra.run.dir=run")[0] == app(*given, "hydra.run.dir=other")[0] == 0
    last = Path("run/checkpoints/last.ckpt")
    kept = last.read_bytes()
    for more in ((), ("trainer.max_steps=3", "ckpt_path=other/checkpoints/last.ckpt")):
        refused = "expected a folder without a run, got run; ckpt_path=last continues the run there"
        assert_one_line(app(*given, *more, "hydra.run.dir=run"), 2, refused)
    assert last.read_bytes() == kept


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs limits of Unix")
def test_a_full_disk_is_one_line_and_the_old_checkpoint_whole(app: App) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    full = "+callbacks.full={_target_:standin.FullDisk,step:3,size:5000}"
    try:
        ended = app("train", *RARELY, "callbacks.last.every_n_train_steps=2", full)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    folder = only_run("tiny") / "checkpoints"
    expected = f"expected room on the disk, got: File too large; ckpt_path={folder}/last.ckpt goes on from step 2"
    assert_one_line(ended, 2, expected)
    assert [path.name for path in folder.iterdir()] == ["last.ckpt"]


@pytest.mark.slow
def test_a_run_that_is_killed_anywhere_goes_on_as_if_undisturbed(repository: Path, tmp_path: Path) -> None:
    # A process of its own: the script forks, and torch hangs in a fork of a process in which it has computed.
    command = [sys.executable, str(repository / "scripts" / "kill_points.py"), "--points", "5"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert "the same losses as undisturbed" in ended.stdout


def test_data_that_disappear_are_one_line(app: App) -> None:
    from tensorframes.data.datasets.cache import read_cached

    with pytest.raises(UserError, match=r"gone.h5: expected the cloud a, which was cached before, got none"):
        read_cached(Path("gone.h5"), "a")
