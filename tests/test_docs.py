"""What the pages promise: commands compose or run, Python runs as written, links and names exist."""

import contextlib
import importlib.util
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

import tensorframes
from tensorframes.cli.main import COMMANDS
from tensorframes.data import read_cloud, write_cloud
from tensorframes.normals import load_weights
from tensorframes.normals.weights import pretrained_path
from tests.cli.commands import Ended, run_file
from tests.pages import DOCS, PAGES, REPOSITORY, Command, blocks, commands, composed, file_of, prose, text, title

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")

COMMAND = PROJECT["scripts"]["tensorframes"]

# What makes runs small enough for a test; nothing else about them changes.
SMALL = (
    "trainer.accelerator=cpu",
    "trainer.max_steps=2",
    "trainer.val_check_interval=2",
    "loader.batch_size=2",
    "loader.workers=0",
    "data.samples.patch_points=128",
)
SLOW_PAGES = ("docs/tutorials/export.md",)  # an export takes a minute
RUN_PAGES = [
    pytest.param(page, id=title(page), marks=[pytest.mark.slow] if title(page) in SLOW_PAGES else [])
    for page in PAGES
    if blocks(page, "python", "yaml")
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training run on a folder of clouds, made small."""
    folder = tmp_path_factory.mktemp("docs")
    for split in ("train", "val", "test"):
        (folder / "clouds" / split).mkdir(parents=True)
        sphere = points()
        np.savetxt(folder / "clouds" / split / f"{split}.xyz", torch.cat([sphere, sphere], dim=1).numpy())
    with contextlib.chdir(folder):
        ended = run_file(REPOSITORY / "train.py", "data=folder", "data.root=clouds", *SMALL)
    assert ended.code == 0, ended.err[-2000:]
    (left,) = (folder / "outputs" / "folder").iterdir()
    return left


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a scan in it, where packages can be imported from."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    np.savetxt("scan.xyz", points().numpy())
    write_cloud("scan.ply", read_cloud("scan.xyz"))
    return tmp_path


@pytest.fixture
def configs() -> Iterator[None]:
    """Hydra, with the configurations of the repository."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(REPOSITORY / "configs"), version_base="1.3"):
        yield


def points() -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(500, 3, generator=torch.Generator().manual_seed(0)), dim=-1)


def run_blocks(page: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Run the Python of a page from top to bottom in the current folder; blocks that show a file are written to it."""
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)  # PyG looks a layer's module up by name
    module.points = points()
    for code in blocks(page, "python", "yaml"):
        code = code.replace("outputs/shapes/TIME/checkpoints/best.ckpt", str(checkpoint))
        if name := file_of(code):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(code, encoding="utf-8")
        else:
            exec(compile(code, title(page), "exec"), vars(module))
    return module


@pytest.fixture
def program() -> Callable[..., Ended]:
    """The command ``tensorframes`` in this process."""
    module, _, name = COMMAND.partition(":")

    def run(*arguments: str) -> Ended:
        code = f"import sys\nfrom {module} import {name}\nsys.exit({name}())\n"
        Path("tensorframes_command.py").write_text(code, encoding="utf-8")
        return run_file(Path("tensorframes_command.py"), *arguments)

    return run


@pytest.mark.parametrize("page", RUN_PAGES)
def test_python_runs_as_written(
    page: Path, trained: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = run_blocks(page, trained / "checkpoints" / "best.ckpt", monkeypatch)
    assert len(getattr(module, "normals", points())) == len(getattr(module, "features", points())) == 500
    if title(page) == "docs/tutorials/own_network.md":
        printed = capsys.readouterr().out
        assert "not equivariant: relative error" in printed
        assert "['attend', 'pool']" in printed


def test_a_plugin_trains_and_is_scored(
    program: Callable[..., Ended], trained: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = DOCS / "tutorials" / "plugin.md"
    for name in [name for name in sys.modules if name.partition(".")[0] == "mypackage"]:
        monkeypatch.delitem(sys.modules, name)
    run_blocks(page, trained, monkeypatch)
    train, *others = (command.words[1:] for command in commands() if command.page == page)
    ended = program(*train, *SMALL, "data.points=300", "data.train_clouds=2")
    assert ended.code == 0, ended.err[-2000:]
    (made,) = Path("outputs/mine").iterdir()
    place = {"outputs/mine/TIME/": f"{made}/", "data.root=DIR": f"data.root={trained.parents[2] / 'clouds'}"}
    for words in others:
        given = [re.sub("|".join(place), lambda found: place[found[0]], word) for word in words]
        ended = program(*given)
        assert ended.code == 0, ended.err[-2000:]
    assert read_cloud("normals.ply").normal is not None
    refused = program("evaluate", f"checkpoint={made}/checkpoints/best.ckpt", "data=folder", "data.root=.")
    assert (refused.code, "trusted=[" in refused.err) == (2, True)


@pytest.mark.parametrize(("name", "overrides"), sorted(set(composed())), ids=str)
def test_commands_compose(configs: None, name: str, overrides: tuple[str, ...]) -> None:
    assert compose(name, list(overrides))


def test_normals_of_a_file(program: Callable[..., Ended], folder: Path) -> None:
    plain = {
        command.words for command in commands() if command.program == "normals" and "--trusted" not in command.words
    }
    shutil.copy(pretrained_path(), "mine.safetensors")
    several = {words for words in plain if "scans/*.las" in words}
    for words in plain - several:
        Path("normals.ply").unlink(missing_ok=True)
        ended = program(*words[1:])
        assert ended.code == 0, ended.err[-2000:]
        assert read_cloud("normals.ply").normal is not None
    for name in ("scans", "normals"):
        Path(name).mkdir()
    for name in ("scans/a.las", "scans/b.las"):
        write_cloud(name, read_cloud("scan.ply"))
    assert several
    for words in several:
        place = words.index("scans/*.las")
        ended = program(*words[1:place], "scans/a.las", "scans/b.las", *words[place + 1 :])
        assert ended.code == 0, ended.err[-2000:]
        assert read_cloud("normals/b.las").normal is not None


def test_networks_are_exported(program: Callable[..., Ended], trained: Path, folder: Path) -> None:
    for place in ("outputs/shapes/TIME", "outputs/confidence/TIME"):
        shutil.copytree(trained, place)
    made = [command.words for command in commands() if command.program == "export"]
    assert len(made) >= 2
    for words in set(made):
        ended = program(*words[1:])
        assert ended.code == 0, ended.err[-2000:]
        assert load_weights(words[3])


def test_runs_are_compared(program: Callable[..., Ended], trained: Path, folder: Path) -> None:
    for place in ("outputs/shapes/TIME", "outputs/shapes/OTHER", "multirun/TIME/0", "multirun/TIME/1"):
        shutil.copytree(trained, place)
    for words in {command.words for command in commands() if command.program == "compare"}:
        ended = program(*words[1:])
        assert ended.code == 0, ended.err[-2000:]


def exists(command: Command) -> bool:
    """Whether the program, its file or its target is there."""
    words = command.words
    if words[0] == "make":
        return bool(re.search(rf"^{words[1]}:", MAKEFILE, flags=re.MULTILINE))
    if words[:2] == ("python", "-m"):
        return importlib.util.find_spec(words[2]) is not None
    if words[0] == "python":
        options = [word for word in words[2:] if word.startswith("--")]
        files = sorted((REPOSITORY / "benchmarks").glob("*.py")) if "NAME" in words[1] else [REPOSITORY / words[1]]
        return all(file.is_file() and all(option in text(file) for option in options) for file in files)
    if words[:2] == ("pip", "install"):
        extras = re.findall(r"\[(\w+)\]", words[2])
        return all(extra in PROJECT["optional-dependencies"] for extra in extras)
    return words[0] in ("tensorframes", "docker", ".venv/bin/pre-commit")


def test_every_command_exists() -> None:
    assert [command.words for command in commands() if not exists(command)] == []
    programs = {command.program for command in commands() if command.words[0] == "tensorframes"}
    assert programs == set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_links_exist(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", text(page))
    assert [path for path in targets if not (page.parent / path).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent != REPOSITORY / "benchmarks"], ids=title)
def test_pages_say_that_programs_of_the_repository_are_not_in_the_package(page: Path) -> None:
    if re.search(r"python (scripts|benchmarks|examples)/", text(page)):
        assert re.search(r"checkout|(in|of) the repository", prose(page))


def test_every_picture_is_shown() -> None:
    shown = {Path(path).name for page in PAGES for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text(page))}
    assert {path.name for path in (DOCS / "images").iterdir()} == shown


def test_training_leaves_what_is_listed(trained: Path) -> None:
    page = text(DOCS / "training.md")
    listed = ["metrics.json", "metrics.csv", "errors.png", "config.yaml", "run.log", "checkpoints/best.ckpt"]
    assert [name for name in listed if f"`{name}`" not in page or not (trained / name).is_file()] == []
    assert (trained / "checkpoints" / "last.ckpt").is_file()


@pytest.fixture(scope="module")
def configuration() -> ModuleType:
    """The extension that writes the reference of all options."""
    path = DOCS / "_ext" / "configuration.py"
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    spec = importlib.util.spec_from_file_location("configuration", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["configuration"] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


def test_options_of_a_file(configuration: ModuleType) -> None:
    written = "# A part.\n_target_: a.B\nwidths: [1, 2]  # of levels\nloss:  # falls\n  eps: 0.1 # small\nname: c#d\n"
    found = [(each.name, each.default, each.comment) for each in configuration.options(written)]
    assert found == [
        ("_target_", "a.B", ""),
        ("widths", "[1, 2]", "of levels"),
        ("loss", "", "falls"),
        ("loss.eps", "0.1", "small"),
        ("name", "c#d", ""),
    ]
    assert configuration.opening_comment(written) == "A part."


def test_the_reference_has_every_file(configuration: ModuleType) -> None:
    reference = configuration.reference()
    files = [file for file in (REPOSITORY / "configs").rglob("*.yaml") if file.parent.name != "configs"]
    assert [file for file in files if f"={file.stem}`" not in reference] == []


def test_options_that_pages_name_exist(configuration: ModuleType) -> None:
    options = set(re.findall(r"^\| `([\w.]+)`", configuration.reference(), flags=re.MULTILINE))
    parents = {name.rpartition(".")[0] for name in options}
    named = re.compile(r"`((?:task|backbone|data|module|loader|trainer|optimizer|schedule|methods)\.[\w.]+)[=`]")
    found = {(title(page), name) for page in PAGES for name in named.findall(prose(page))}
    assert len(found) > 10
    assert [each for each in sorted(found) if each[1] not in options | parents] == []


def test_the_drawing_of_the_packages_is_theirs() -> None:
    page = text(REPOSITORY / "CONTRIBUTING.md")
    drawn = re.findall(r"^  (\w+)(/|\.py) ", page[page.index("\ntensorframes/\n") :], flags=re.MULTILINE)
    source = REPOSITORY / "tensorframes"
    packages = {path.name for path in source.iterdir() if path.is_dir() and not path.name.startswith("__")}
    files = {path.stem for path in source.glob("[!_]*.py")}
    assert {name for name, kind in drawn if kind == "/"} == packages
    assert files <= {name for name, kind in drawn if kind == ".py"}


def test_modules_that_pages_name_exist() -> None:
    found = {name for page in PAGES for name in re.findall(r"`(tensorframes(?:\.\w+)+)[`(]", prose(page))}
    assert len(found) > 10
    for name in sorted(found):
        pkgutil.resolve_name(name)  # a module, or something in one; raises otherwise


def test_the_names_of_the_package_are_on_the_page() -> None:
    page = text(DOCS / "api" / "index.md")
    assert set(re.findall(r"\{py:obj\}`(\w+) <", page)) == set(tensorframes.__all__)


@pytest.mark.slow
def test_the_site_builds_without_warnings(tmp_path: Path) -> None:
    pytest.importorskip("furo", reason="the extra docs is not installed")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", str(DOCS), str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=300)
    assert ended.returncode == 0, ended.stderr[-4000:]
