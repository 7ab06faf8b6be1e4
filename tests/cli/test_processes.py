"""The processes of a run: who has started them, which of them writes, and what is refused rather than waited for."""

import os
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from tensorframes.cli.launch import as_ranked
from tensorframes.cli.processes import check_processes, launchers_in_one_line, process_rank, started
from tensorframes.errors import UserError
from tests.cli.test_runs import only_run

App = Callable[..., tuple[int, str, str]]
SECOND = {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}
TASK = {"SLURM_JOB_ID": "5", "SLURM_JOB_NAME": "job", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}
BATCH = TASK | {"SLURM_NTASKS": "1", "SLURM_NODELIST": "localhost"}
STEP = BATCH | {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1"}
SHORT = ("experiment=tiny", "trainer.max_steps=1", "test=false", "loader.workers=0", "~callbacks.progress")
TWO = ("trainer=ddp", "trainer.accelerator=cpu")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ("", 1, 0)),
        (SECOND, ("torchrun", 2, 1)),
        ({"WORLD_SIZE": "2", "LOCAL_RANK": "1", "NODE_RANK": "0"}, ("torchrun", 2, 1)),  # Lightning's second
        (STEP, ("srun", 2, 1)),
        (STEP | SECOND, ("torchrun", 2, 1)),
        (BATCH, ("a SLURM job without srun", 1, 0)),
        (BATCH | {"SLURM_JOB_NAME": "bash"}, ("", 1, 0)),
        ({"RANK": "1"}, ("", 1, 0)),
        ({"LOCAL_RANK": "1"}, ("", 1, 0)),
        ({"SLURM_PROCID": "2"}, ("", 1, 0)),
    ],
)
def test_the_processes_that_an_environment_tells_of(
    environment: dict[str, str], expected: tuple[str, int, int]
) -> None:
    found = started(environment)
    assert (found.by, found.count, found.rank) == expected


@pytest.mark.parametrize("name", ["RANK", "LOCAL_RANK", "SLURM_PROCID"])
def test_a_rank_left_over_loses_no_run(app: App, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "2")
    monkeypatch.setattr("pytorch_lightning.utilities.rank_zero_only.rank", 2)  # as it is imported there
    code, _, err = app("train", *SHORT)
    assert (code, err) == (0, "")
    assert {"metrics.csv", "config.yaml", "checkpoints"} <= {path.name for path in only_run("tiny").iterdir()}
    assert os.environ[name] == "2"


def test_an_evaluation_is_a_run_of_its_own_in_each_process(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in STEP.items():
        monkeypatch.setenv(name, value)
    assert (process_rank("train"), process_rank("evaluate")) == (1, 0)
    assert app("evaluate", "data=tiny", "checkpoint=pca")[0] == 0
    assert (only_run("evaluate") / "metrics.json").is_file()


@pytest.mark.parametrize(
    ("environment", "devices", "nodes", "message"),
    [
        (SECOND, 1, 1, r"= 1 x 1, got 2 of torchrun: .*trainer=ddp"),
        (SECOND, 4, 1, r"= 4 x 1, got 2 of torchrun: start with torchrun --nproc-per-node=4 --nnodes=1"),
        (STEP, 1, 1, "= 1 x 1, got 2 of srun"),
        (STEP, 2, 2, "= 2 x 2, got 2 of srun: start with srun --ntasks-per-node=2 --nodes=2"),
        (BATCH, 2, 1, "= 2 x 1, got 1 of a SLURM job without srun: start with srun --ntasks-per-node=2"),
        (BATCH | {"WORLD_SIZE": "2"}, 1, 1, "got 2 of a SLURM job without srun"),
        (BATCH | {"WORLD_SIZE": "2"}, 2, 1, "got 2 of a SLURM job without srun"),
        (STEP | {"SLURM_JOB_NAME": "bash"}, 2, 1, "srun in a job of another name, got bash: .* SLURM_JOB_NAME=train"),
        ({"WORLD_SIZE": "2", "RANK": "1"}, 2, 1, "LOCAL_RANK beside WORLD_SIZE=2, got none"),
        ({}, 1, 2, "torchrun or srun to start the processes of 2 nodes, got neither"),
        (BATCH | {"SLURM_JOB_NAME": "interactive"}, 1, 2, "torchrun or srun to start the processes of 2 nodes"),
    ],
)
def test_processes_that_would_be_alone_or_wait(
    environment: dict[str, str], devices: int, nodes: int, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        check_processes(devices, nodes, environment)


@pytest.mark.parametrize(
    ("environment", "devices"),
    [({}, 1), ({}, 2), (SECOND, 2), (STEP, 2), (BATCH, 1), (BATCH | {"SLURM_JOB_NAME": "bash"}, 2)],
)
def test_processes_that_find_each_other(environment: dict[str, str], devices: int) -> None:
    check_processes(devices, 1, environment)


@pytest.mark.parametrize(
    ("environment", "given", "message"),
    [
        ({}, ("+trainer.num_nodes=2",), "expected torchrun or srun"),
        (BATCH | {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2"}, TWO, "start with srun"),
        (BATCH, TWO, "start with srun"),
        (SECOND, (*TWO, "trainer.devices=4"), "start with torchrun"),
        ({"SLURM_NTASKS": "8", "SLURM_JOB_NAME": "x", "SLURM_JOB_ID": "5"}, (), "srun --ntasks-per-node=NUMBER"),
        ({"SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}, TWO, "SLURM_NODEID in the environment"),
        (STEP | {"SLURM_NNODES": "2"}, TWO, "trainer: You set `num_nodes=1` in Lightning"),
    ],
)
def test_a_run_that_would_wait_is_one_line(
    app: App, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], given: tuple[str, ...], message: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, _, err = app("train", *SHORT, *given)
    assert (code, err.count("\n")) == (2, 1), err
    assert message in err
    assert not Path("outputs").exists()


def test_other_errors_than_a_launchers_stay() -> None:
    for error in (KeyError("foo"), RuntimeError("foo")):
        with pytest.raises(type(error)), launchers_in_one_line({}):
            raise error


def test_ranks_left_over_are_back_after_a_run() -> None:
    run = mock.Mock(rank=0)
    with mock.patch.dict(os.environ, {"LOCAL_RANK": "1"}, clear=True):
        with as_ranked(run):
            assert "LOCAL_RANK" not in os.environ
        assert os.environ["LOCAL_RANK"] == "1"
    with mock.patch.dict(os.environ, SECOND, clear=True), as_ranked(run):
        assert os.environ["LOCAL_RANK"] == "1"
