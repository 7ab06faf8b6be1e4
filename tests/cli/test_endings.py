"""Runs that end before their last step: divergence, Ctrl-C, a tracker or a disk that refuses; one line, and what was
kept."""

import errno
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tensorframes.cli.checkpoint import read_checkpoint
from tensorframes.cli.explain import first_line, system_error
from tensorframes.cli.tracking import wandb_errors_in_one_line
from tensorframes.errors import UserError, interruptible

App = Callable[..., Any]
EACH_STEP = ("experiment=tiny", "callbacks.last.every_n_train_steps=1", "trainer.val_check_interval=100", "test=false")


def last() -> Path:
    """The run's last checkpoint."""
    (folder,) = Path("outputs/tiny").iterdir()
    return folder / "checkpoints" / "last.ckpt"


def assert_one_line(ended: Any, code: int, expected: str) -> None:
    assert (ended.code, ended.err.count("\n")) == (code, 1), ended.err
    assert expected in ended.err


def test_double_precision_trains_and_is_scored(app: App) -> None:
    code, _, err = app("train", "experiment=tiny", "trainer.precision=64-true", "trainer.max_steps=3")
    assert (code, err) == (0, "")
    state = read_checkpoint(last())["state_dict"]
    assert {value.dtype for value in state.values()} == {torch.float64}
    assert (last().parents[1] / "metrics.json").is_file()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("nan", "expected finite weights, got NaN or infinity at step 3"),
        ("inf", "expected finite weights, got NaN or infinity at step 3"),
        ("3e38", "expected a finite loss, got nan at step 3"),
    ],
)
def test_bad_weights_end_the_run_and_replace_no_checkpoint(app: App, value: str, expected: str) -> None:
    spoiled = f"+callbacks.spoiled={{_target_:standin.Spoiled,step:3,value:{value}}}"
    assert_one_line(app("train", *EACH_STEP, "~callbacks.ema", spoiled), 2, expected)
    kept = read_checkpoint(last())
    assert kept["global_step"] == 2
    assert all(torch.isfinite(weight).all() for weight in kept["state_dict"].values())


def test_a_loss_that_is_not_finite_ends_the_run_with_the_step(app: App) -> None:
    spoiled = "+callbacks.spoiled={_target_:standin.Spoiled,step:5,value:nan}"
    ended = app("train", *EACH_STEP, "callbacks.last.every_n_train_steps=2", spoiled)
    assert_one_line(ended, 2, "expected a finite loss, got nan at step 5 (batch of ellipsoid")
    assert f": a lower optimizer.lr may help; ckpt_path={last()} goes on from step 4" in ended.err


def test_a_validation_that_is_not_finite_ends_the_run(app: App) -> None:
    spoiled = "+callbacks.spoiled={_target_:standin.Spoiled,step:5,value:nan}"
    ended = app("train", "experiment=tiny", "~callbacks.ema", spoiled)
    assert_one_line(ended, 2, "expected a finite val/rmse, got nan at step 5")


@pytest.mark.parametrize("rate", ["1e37", "1e38", "1e300"])
def test_absurd_learning_rates(app: App, rate: str) -> None:
    ended = app("train", *EACH_STEP, f"optimizer.lr={rate}")
    assert_one_line(ended, 2, "a lower optimizer.lr may help")
    assert not last().is_file() or read_checkpoint(last())["global_step"] <= 2


def test_ctrl_c_in_training_says_what_is_kept(app: App) -> None:
    before = signal.getsignal(signal.SIGINT)
    stop = "+callbacks.stop={_target_:standin.Interrupted,step:5}"
    assert_one_line(app("train", *EACH_STEP, stop), 130, "interrupted: ckpt_path=outputs/tiny/")
    assert signal.getsignal(signal.SIGINT) is before
    assert read_checkpoint(last())["global_step"] == 4


def test_ctrl_c_before_the_first_checkpoint_and_in_a_sweep(app: App) -> None:
    stop = "+callbacks.stop={_target_:standin.Interrupted,step:1}"
    ended = app("train", *EACH_STEP, stop, "-m", "seed=1,2")
    assert_one_line(ended, 130, "interrupted: no checkpoint was written yet")
    assert [path.name for path in Path("multirun").glob("*/*/config.yaml")] == ["config.yaml"]


def test_a_killed_process_of_the_loader_is_one_line(app: App) -> None:
    lost = "+callbacks.lost._target_=standin.LostWorker"
    expected = "got: DataLoader worker (pid 7) is killed by signal: Killed; no checkpoint was written yet"
    assert_one_line(app("train", *EACH_STEP, "~callbacks.last", lost), 2, expected)


def test_ctrl_c_while_scoring(app: App) -> None:
    method = "+methods.stop._target_=standin.InterruptedMethod"
    ended = app("evaluate", "data=tiny", "checkpoint=stop", method)
    assert (ended.code, ended.err) == (130, "interrupted\n")
    assert not list(Path("outputs").rglob("metrics.json"))


def test_ctrl_c_in_a_script_leaves_no_half_of_a_file(
    script: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(stream: Any, *args: object, **kwargs: object) -> None:
        stream.write(b"1 2 3\n")
        raise KeyboardInterrupt

    monkeypatch.setattr("numpy.savetxt", stop)
    ended = script("make_shapes", str(tmp_path), "--train", "1", "--val", "1", "--test", "1", "--points", "300")
    assert (ended.code, ended.err) == (130, "interrupted\n")
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


def test_ctrl_c_while_libraries_load() -> None:
    code = (
        "import os, signal\nfrom tensorframes.errors import loading\n"
        "with loading():\n    os.kill(os.getpid(), signal.SIGINT)\nprint('not reached')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "interrupted\n")


def test_programs_end_with_the_code_of_their_main() -> None:
    assert [interruptible(lambda: None), interruptible(lambda: 2)] == [0, 2]


@pytest.mark.parametrize("group", ["callbacks", "logger"])
def test_a_run_may_go_without(app: App, group: str) -> None:
    settings = ("data=tiny", "model=tiny", "trainer=cpu", "trainer.max_steps=2", "name=tiny", "test=false")
    assert app("train", *settings, f"~{group}")[::2] == (0, "")
    assert last().is_file()
    assert [path.name for path in Path().iterdir()] == ["outputs"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"WANDB_MODE": "of"},
            "expected WANDB_MODE to be one of online, offline, shared, disabled, dryrun, run, got of",
        ),
        ({"WANDB_MODE": "online"}, "No API key configured"),
        ({"WANDB_API_KEY": "abc"}, "API key must have 40+ characters, has 3; WANDB_MODE=offline needs neither a key"),
    ],
)
def test_what_wandb_refuses(
    app: App, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str], expected: str
) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ended = app("train", "experiment=tiny", "logger=wandb", "test=false", "trainer.max_steps=1")
    assert_one_line(ended, 2, expected)


def test_a_tracker_without_a_network_is_told() -> None:
    from wandb.errors import CommError

    expected = r"^Weights & Biases: no answer; while retrying: no host; WANDB_MODE=offline"
    with pytest.raises(UserError, match=expected), wandb_errors_in_one_line():
        raise CommError("no answer;\nwhile retrying: no host")
    with pytest.raises(ZeroDivisionError), wandb_errors_in_one_line():
        raise ZeroDivisionError


def test_mistakes_in_the_data_are_told_from_the_loaders_processes_too() -> None:
    traceback = 'Original Traceback (most recent call last):\n  File "worker.py", line 1\n'
    error = UserError(
        f"Caught UserError in DataLoader worker process 0.\n{traceback}tensorframes.errors.UserError: no rows\n"
    )
    assert first_line(error) == "no rows"


def test_what_the_system_refuses_is_told_whatever_stands_around_it() -> None:
    full, locked = OSError(errno.ENOSPC, "No space left on device"), PermissionError(errno.EACCES, "Denied", "run.log")
    assert system_error(full) == "expected room on the disk, got: No space left on device"
    around = ValueError("Unable to configure handler")
    around.__cause__ = locked
    assert system_error(around) == "expected a file or folder that can be used, got run.log (Denied)"
    for exhausted in (MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee")):
        assert "expected enough memory for a pass, got too little; reduce loader" in str(system_error(exhausted))
    told = UserError("told already")
    told.__cause__ = locked
    for other in (told, OSError("no number"), BrokenPipeError(errno.EPIPE, "Broken pipe"), ZeroDivisionError()):
        assert system_error(other) is None
