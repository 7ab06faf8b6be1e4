"""Sweeps: their table, searches, and jobs in processes of their own."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from tensorframes.cli.checkpoint import read_checkpoint
from tensorframes.cli.cli import apart_in_sweeps
from tests.cli.test_processes import SECOND
from tests.cli.test_runs import rows_of

App = Callable[..., Any]
SHORT = ("experiment=tiny", "loader.workers=0", "trainer.max_steps=2", "test_clouds=1", "~callbacks.progress")


def sweep() -> Path:
    (folder,) = Path("multirun").iterdir()
    return folder


def test_a_sweep_ends_with_its_table(app: App) -> None:
    code, out, err = app("train", "-m", *SHORT, "seed=1,2", "baselines=null")
    assert (code, err) == (0, "")
    assert "seed=1" in out.split(f"{sweep()}/1")[-1]
    assert f"tensorframes compare {sweep()}" in out


def test_a_sweep_of_nothing_is_one_run(app: App) -> None:
    assert app("train", "-m", *SHORT, "test=false")[0] == 0
    assert [path.name for path in sweep().iterdir() if path.is_dir()] == ["0"]


def test_a_search_gets_the_lowest_score_of_each_run(app: App) -> None:
    search = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=1")
    given = ("hydra.sweeper.sampler.seed=1", "optimizer.lr=tag(log,interval(0.001,0.1))", "test=false")
    code, _, err = app("train", "-m", *search, *SHORT, *given)
    assert code == 0, err
    best = yaml.safe_load((sweep() / "optimization_results.yaml").read_text())["best_value"]
    scores = [min(float(row["val/rmse"]) for row in rows_of(sweep() / name) if row["val/rmse"]) for name in "01"]
    assert best == min(scores)


def test_a_search_of_which_every_run_fails_is_told_once_each(app: App) -> None:
    search = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=1", "hydra.sweeper.n_jobs=1")
    code, _, err = app("train", "-m", *search, *SHORT, "model.dropout=interval(2,3)")
    assert (code, err.count("error: "), "Traceback" in err) == (2, 1, False), err


def test_a_search_without_validation_is_told_once_before_the_first_step(app: App) -> None:
    search = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=1")
    code, _, err = app("train", "-m", *search, *SHORT, "optimizer.lr=interval(0.001,0.1)", "data.validated=0")
    assert (code, err) == (2, "error: expected validation clouds for a search, which compares val/rmse, got none\n")
    assert not [row for path in sweep().glob("*/metrics.csv") for row in rows_of(path.parent)]


@pytest.mark.skipif(shutil.which("srun") is not None, reason="this machine is of a cluster")
def test_a_machine_without_a_cluster_is_told(app: App) -> None:
    code, _, err = app("train", "-m", *SHORT, "launcher=slurm", "seed=1,2")
    assert (code, err.splitlines()[-1][:48]) == (2, "error: expected a SLURM cluster, got a machine w")
    assert "Traceback" not in err


def test_a_job_of_slurm_has_a_task_for_each_device_of_each_node(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bin").mkdir()
    for name in ("srun", "sbatch"):  # sbatch keeps the script, and refuses it
        Path("bin", name).write_text(f'#!/bin/sh\ncp "$1" {Path.cwd()}/{name}.sh\necho "no cluster" >&2\nexit 1\n')
        Path("bin", name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{Path.cwd()}/bin", prepend=os.pathsep)
    app("train", "-m", *SHORT, "launcher=slurm", "trainer=ddp", "trainer.devices=8", "trainer.num_nodes=2")
    script = Path("sbatch.sh").read_text()
    options = dict(line.removeprefix("#SBATCH --").partition("=")[::2] for line in script.splitlines() if "#SB" in line)
    expected = {"nodes": "2", "ntasks-per-node": "8", "gpus-per-node": "8", "cpus-per-task": "8", "time": "1440"}
    assert expected.items() <= options.items(), options
    assert options["signal"] == "USR2@120"
    assert "\nsrun " in script


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_jobs_in_processes_of_a_launcher(process: App, launcher: str, tmp_path: Path) -> None:
    more = ("hydra.launcher.n_jobs=2",) if launcher == "joblib" else ()
    code, out, err = process(
        "-m", *SHORT, "loader.workers=1", "baselines=null", f"hydra/launcher={launcher}", *more, "seed=1,2"
    )
    assert code == 0, err
    assert "tensorframes compare" in out
    failed = process("-m", *SHORT, f"hydra/launcher={launcher}", *more, "model.dropout=2", "hydra.sweep.dir=wrong")
    assert failed.code == 2, failed.err
    assert "error: model: " in failed.err


@pytest.mark.slow
def test_a_job_that_is_pre_empted_is_requeued_and_goes_on(process: App, tmp_path: Path) -> None:
    slow = ("trainer.max_steps=400", "test=false", "ckpt_path=last", "callbacks.last.every_n_train_steps=1000")
    folder = tmp_path / "swept" / "0"

    def pre_empt() -> None:
        while len(rows_of(folder) if (folder / "metrics.csv").is_file() else ()) < 20:
            time.sleep(0.1)
        os.kill(int((folder / ".lock").read_text().split()[1]), signal.SIGUSR2)

    thread = Thread(target=pre_empt)
    thread.start()
    code, _, err = process("-m", *SHORT, *slow, "hydra/launcher=submitit_local", "hydra.sweep.dir=swept")
    thread.join()
    assert code == 0, err
    assert "goes on" not in err
    assert any("Requeued job" in path.read_text() for path in (tmp_path / "swept" / ".submitit").rglob("*_log.*"))
    assert [int(row["step"]) for row in rows_of(folder)] == list(range(400))
    assert read_checkpoint(folder / "checkpoints" / "last.ckpt")["global_step"] == 400


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("hydra.run.dir=taken",), "expected a folder without a run, got taken"),
        (("data.tested=0",), "expected at least one test cloud, got none"),
    ],
)
def test_every_process_ends_with_a_mistake(
    app: App, monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...], message: str
) -> None:
    """Otherwise one would wait for the first, which has ended."""
    Path("taken/checkpoints").mkdir(parents=True)
    Path("taken/checkpoints/last.ckpt").touch()
    for name, value in SECOND.items():
        monkeypatch.setenv(name, value)
    code, _, err = app("train", "experiment=tiny", "trainer=ddp", "trainer.accelerator=cpu", *given)
    assert (code, err.count("\n")) == (2, 1), err
    assert message in err


def test_only_the_first_process_of_a_sweep_has_its_folder() -> None:
    assert apart_in_sweeps(["-m", "seed=1,2"], rank=0) == []
    assert apart_in_sweeps(["seed=1"], rank=1) == []
    (override,) = apart_in_sweeps(["-m", "seed=1,2"], rank=1)
    assert override.startswith("hydra.sweep.dir=")


@pytest.mark.parametrize("launcher", ["launcher=slurm", "hydra/launcher=joblib"])
def test_a_launcher_of_jobs_needs_a_sweep(app: App, launcher: str) -> None:
    code, _, err = app("train", *SHORT, launcher)
    assert (code, err) == (2, f"error: expected -m with {launcher}, got none: the run would be on this machine\n")
    assert not Path("outputs").exists()
