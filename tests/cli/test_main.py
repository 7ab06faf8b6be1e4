"""The command itself: help that imports nothing heavy, subcommands, and libraries that are not installed."""

import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from tensorframes.cli import help as help_texts
from tensorframes.cli import main as main_file
from tensorframes.cli.folders import config_dir, groups
from tensorframes.cli.main import COMMANDS
from tensorframes.data.datasets.cache import read_cached
from tensorframes.errors import UserError
from tests.cli.commands import run_command, run_file

LIGHT = {
    ("--help",): "usage: tensorframes COMMAND",
    ("--version",): f"tensorframes {version('tensorframes')}",
    ("train", "--help"): "usage: tensorframes train",
    ("normals", "--help"): "usage: tensorframes normals",
    ("compare", "-h"): "usage: tensorframes compare",
    ("trian",): "(did you mean train?)",
    (): "usage: tensorframes COMMAND",
}
HEAVY = {"torch", "numpy", "hydra", "omegaconf", "pytorch_lightning", "rich", "scipy", "torch_geometric"}
PROGRAM = """
import atexit, sys
atexit.register(lambda: print(*sys.modules))
from tensorframes.cli.main import main
sys.exit(main())
"""
EXTRAS = ("h5py", "filelock", "hydra", "matplotlib", "omegaconf", "open3d", "pytorch_lightning", "skimage", "wandb")


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_help_and_refusals_import_nothing_heavy(arguments: tuple[str, ...], repository: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=repository)
    assert LIGHT[arguments] in ended.stdout + ended.stderr
    assert {name.partition(".")[0] for name in ended.stdout.splitlines()[-1].split()} & HEAVY == set()


def test_a_home_that_cannot_be_written_says_nothing(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "home").touch()
    environment = {**os.environ, "HOME": str(tmp_path / "home" / "none"), "PYTHONPATH": str(repository)}
    for name in ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "tensorframes", "evaluate", "checkpoint=pca", "seed=abc"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert (ended.returncode, ended.stderr) == (2, "error: expected seed to be a whole number, got 'abc'\n")


def test_train_py_is_the_same_as_the_command(repository: Path) -> None:
    outs = [run_file(repository / "train.py", "seed=abc"), run_command("train", "seed=abc")]
    assert {(ended.code, ended.err) for ended in outs} == {
        (2, "error: expected seed to be a whole number, got 'abc'\n")
    }


def test_a_data_set_to_download_must_be_named() -> None:
    expected = "error: expected data=NAME with one of modelnet40, pcpnet, got none\n"
    assert run_command("download")[::2] == (2, expected)


def test_a_data_set_of_ones_own_is_not_downloaded(tmp_path: Path) -> None:
    expected = "error: expected a dataset that is downloaded (data=pcpnet or data=modelnet40), got another\n"
    assert run_command("download", "data=folder", f"data.root={tmp_path}")[::2] == (2, expected)


def test_help_names_every_group_and_choice() -> None:
    text = " ".join(run_command("train", "--help").out.split())
    for group, names in groups(config_dir()).items():
        if group not in help_texts.NOT_CHOSEN:
            assert f"{group} {', '.join(names)}" in text


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if command.needs])
def test_a_missing_extra_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def installed(library: str) -> ModuleSpec | None:
        return None if library == "skimage" else ModuleSpec(library, None)

    monkeypatch.setattr(main_file, "find_spec", installed)
    purpose = COMMANDS[name].purpose
    expected = f"error: expected scikit-image for {purpose}, got none; pip install 'tensorframes[train]'\n"
    assert run_command(name, "seed=0")[::2] == (2, expected)


def test_normals_need_no_extra(tmp_path: Path, repository: Path) -> None:
    np.savetxt(tmp_path / "scan.xyz", np.random.default_rng(0).normal(size=(60, 3)))
    absent = f"import sys; sys.modules.update(dict.fromkeys({EXTRAS!r}))\n"  # None there: not to be found
    given = ("normals", "scan.xyz", "out.ply", "--weights", "fast", "--device", "cpu")
    command = [sys.executable, "-c", absent + PROGRAM.replace("atexit.register", ""), *given]
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("out.ply: normals of 60 points in ")


def test_a_library_that_is_missing_later_is_one_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UserError, match=r"^expected h5py for datasets, got none; pip install 'tensorframes\[train\]'$"):
        read_cached(tmp_path / "clouds.h5", "cloud")
