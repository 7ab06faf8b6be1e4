"""What the README promises: its commands compose, the first ones run in a small form, its Python runs as written."""

import contextlib
import re
import shlex
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from tensorframes.data import read_cloud, write_cloud
from tests.cli.commands import Ended, run_file

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")

# What makes the default run small enough for a test; nothing else about it changes.
SMALL = (
    "trainer.max_steps=2",
    "trainer.val_check_interval=2",
    "loader.batch_size=2",
    "data.samples.patch_points=128",
    "data.train_shapes=2",
    "data.val_shapes=1",
    "data.test_shapes=1",
    "data.points=500",
    "data.test_points=500",
)
SMALL_TEST = tuple(override for override in SMALL if override.startswith("data.") and "samples" not in override)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def composed() -> list[tuple[str, tuple[str, ...]]]:
    """(config name, overrides) of every command that trains or scores; a sweep is taken apart into its runs."""
    found = []
    for words in commands():
        if words[:2] == ["python", "train.py"] or words[:2] == ["python", "evaluate.py"]:
            name, overrides = words[1].removesuffix(".py"), words[2:]
        elif words[:2] == ["docker", "run"]:
            name, overrides = "train", words[words.index("tensorframes") + 1 :]
        else:
            continue
        if "-m" in overrides:
            swept = [word.partition("=") for word in overrides if word != "-m"]
            choices = [[f"{key}={value}" for value in values.split(",")] for key, _, values in swept]
            found += [(name, choice) for choice in product(*choices)]
        else:
            found.append((name, tuple(overrides)))
    return found


def run(folder: Path, program: str, *overrides: str) -> Ended:
    with contextlib.chdir(folder):
        return run_file(REPOSITORY / program, *overrides)


@dataclass(frozen=True)
class QuickRun:
    """The default training run, made small."""

    folder: Path
    finished: Ended

    @property
    def left(self) -> Path:
        (found,) = (self.folder / "outputs" / "shapes").iterdir()
        return found

    @property
    def checkpoint(self) -> Path:
        return self.left / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> QuickRun:
    folder = tmp_path_factory.mktemp("readme")
    return QuickRun(folder, run(folder, "train.py", *SMALL))


def test_the_readme_has_what_is_tested() -> None:
    assert len(composed()) >= 12
    assert len(blocks("python")) == 4
    assert "<!--" not in README, "a place that was to be filled"


@pytest.mark.parametrize("words", [words for words in commands() if words[0] == "make"], ids=" ".join)
def test_make_targets_exist(words: list[str]) -> None:
    targets = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert words[1] in targets


def test_every_command_is_known() -> None:
    known = {"make", "python", "docker", "mkdir"}
    assert [words for words in commands() if words[0] not in known] == []


@pytest.mark.parametrize(("name", "overrides"), composed(), ids=str)
def test_commands_compose(name: str, overrides: tuple[str, ...]) -> None:
    with initialize_config_dir(str(REPOSITORY / "configs"), version_base="1.3"):
        assert compose(name, list(overrides))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_exist(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [path for path in targets if not (page.parent / path).exists()] == []


def test_the_readme_has_paths() -> None:
    assert len(re.findall(r"\]\((?!https?:)([^)#]+)", README)) > 3


def test_training_leaves_what_is_listed(quick_run: QuickRun) -> None:
    assert quick_run.finished.code == 0, quick_run.finished.err[-2000:]
    listed = ["metrics.json", "metrics.csv", "errors.png", "config.yaml", "run.log"]
    listed += ["checkpoints/best.ckpt", "checkpoints/last.ckpt"]
    assert [name for name in listed if f"`{Path(name).name}`" not in README and f"`{name}`" not in README] == []
    assert [name for name in listed if not (quick_run.left / name).is_file()] == []


def test_a_checkpoint_is_scored(quick_run: QuickRun) -> None:
    finished = run(quick_run.folder, "evaluate.py", f"checkpoint={quick_run.checkpoint}", *SMALL_TEST)
    assert finished.code == 0, finished.err[-2000:]
    assert list((quick_run.folder / "outputs" / "evaluate").glob("*/metrics.json"))


def test_python_runs_as_written(quick_run: QuickRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = torch.nn.functional.normalize(torch.randn(500, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    np.savetxt(tmp_path / "scan.xyz", points.numpy())
    write_cloud(tmp_path / "scan.ply", read_cloud(tmp_path / "scan.xyz"))
    monkeypatch.chdir(tmp_path)
    module = ModuleType("readme")
    monkeypatch.setitem(sys.modules, "readme", module)  # PyG looks a layer's module up by name
    shapes = [("normals", (500, 3)), ("normals", (500, 3)), ("x", (500, 116)), ("features", (500, 8))]
    for code, (name, shape) in zip(blocks("python"), shapes, strict=True):
        module.points = points
        code = code.replace("outputs/shapes/TIME/checkpoints/best.ckpt", str(quick_run.checkpoint))
        exec(compile(code, "README.md", "exec"), vars(module))
        assert tuple(getattr(module, name).shape) == shape
    assert read_cloud("scan_with_normals.ply").normal is not None
