"""Runs of the application with the stand-ins of standin.py, in this process or in one of their own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from tests.cli.commands import CONFIGS, App, Ended, run_script

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _apart() -> Iterator[None]:
    """What runs leave in this process, variables and the settings Weights & Biases has read, ends with the test."""
    with mock.patch.dict(os.environ):
        yield
    if "wandb" in sys.modules:
        import wandb

        wandb.teardown()


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> App:
    """Runs train or evaluate in this process, in an empty folder: app("train", "experiment=tiny", ...)."""
    from tensorframes import cli as application

    monkeypatch.syspath_prepend(HERE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)

    def run(name: str, *arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *CONFIGS, *arguments])
        capsys.readouterr()
        code = application.command_line(getattr(application, name), name)
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def four_steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run of four steps, without a test, has left its folder."""
    from tensorframes.cli import command_line, train

    folder = tmp_path_factory.mktemp("four_steps")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HERE)
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["train.py", *CONFIGS, "experiment=tiny", "trainer.max_steps=4", "test=false"])
        assert command_line(train, "train") == 0
    return folder


@pytest.fixture
def trained(app: App, four_steps: Path) -> Path:
    """The last checkpoint of a run of four steps, in a copy of its folder."""
    shutil.copytree(four_steps / "outputs", "outputs")
    (path,) = Path("outputs/tiny").glob("*/checkpoints/last.ckpt")
    return path


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Ended]:
    """Runs a file of scripts/ in this process, in an empty folder: script("make_shapes", "shapes", "--seed", "1")."""
    monkeypatch.chdir(tmp_path)
    return run_script


@pytest.fixture
def process(repository: Path, tmp_path: Path) -> Callable[..., Ended]:
    """Runs train.py in a process of its own, in an empty folder."""
    path = os.pathsep.join([str(HERE), str(repository), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}

    def run(*arguments: str, **variables: str) -> Ended:
        command = [sys.executable, str(repository / "train.py"), *CONFIGS, *arguments]
        ended = subprocess.run(
            command, cwd=tmp_path, env={**environment, **variables}, capture_output=True, text=True, timeout=300
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return run
