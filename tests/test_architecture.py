"""The architecture: packages import only packages above them, heavy libraries stay at home, files stay short."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml

from tensorframes.lazy import lazy_names

SOURCE = Path(__file__).resolve().parents[1] / "tensorframes"

# In data order: a package imports only packages before it.
PACKAGES = (
    "reps",
    "geometry",
    "frames",
    "messages",
    "layers",
    "backbones",
    "normals",
    "data",
    "scoring",
    "training",
    "reports",
    "cli",
)
# These import no package; each may import them.
BESIDE = {"atomic", "errors", "lazy", "parallel", "progress", "recipes", "words"}
WITHOUT_CODE = {"weights", "configs"}

# library -> the packages that may import it
HOMES = {
    "pytorch_lightning": {"training", "cli"},
    "wandb": {"training", "cli"},
    "hydra": {"cli"},
    "omegaconf": {"training", "cli"},
    "matplotlib": {"reports"},
    "plotly": {"reports"},
}
# What must not come with `import tensorframes`: each costs a good part of a second, or more.
HEAVY = {
    "h5py",
    "hydra",
    "laspy",
    "matplotlib",
    "omegaconf",
    "open3d",
    "plotly",
    "pytorch_lightning",
    "requests",
    "rich",
    "scipy",
    "skimage",
    "torch_geometric",
    "wandb",
}
LONGEST_FILE = 300

FILES = sorted(SOURCE.rglob("*.py"))


def package_of(path: Path) -> str:
    """The package a file lies in; for a file beside the packages, its own name ("errors", "testing", "__init__")."""
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def imported_modules(tree: ast.AST, parent: str) -> Iterator[str]:
    """Dotted names of every module that a file imports, inside functions too; `parent` resolves relative imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = parent.split(".")[: len(parent.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            yield base
            if base == "tensorframes":
                yield from (f"{base}.{alias.name}" for alias in node.names)


def imports_of(path: Path) -> set[str]:
    parent = ".".join(["tensorframes", *path.relative_to(SOURCE).parent.parts])
    return set(imported_modules(ast.parse(path.read_text(encoding="utf-8")), parent))


def allowed_packages(package: str) -> set[str]:
    """Which packages and files beside them a file of `package` may import."""
    if package in BESIDE:
        return BESIDE - {package}
    if package == "__main__":
        return {"cli"}
    if package == "testing":
        return {*PACKAGES, *BESIDE} - {"cli"}
    if package == "__init__":
        return {*PACKAGES, *BESIDE} - {"training", "cli"}
    return {*PACKAGES[: PACKAGES.index(package) + 1], *BESIDE}


def misplaced_imports(package: str, modules: set[str]) -> list[str]:
    """One sentence for each import that the architecture forbids in `package`."""
    wrong = []
    for module in sorted(modules):
        first, *rest = module.split(".")
        if first == "tensorframes" and rest and rest[0] not in {*allowed_packages(package), "__version__"}:
            wrong.append(f"{package} imports {module}")
        if first == "tensorframes" and not rest and package != "__init__":
            wrong.append(f"{package} imports the package's front door; name the package")
        if first == "lightning":
            wrong.append(f"{package} imports {module}; write pytorch_lightning")
        if package not in HOMES.get(first, {package}):
            wrong.append(f"{package} imports {module}, at home in {sorted(HOMES[first])}")
    # `from tensorframes import package` names the package as well as the package; that is not the front door.
    if any(module.startswith("tensorframes.") for module in modules):
        wrong = [line for line in wrong if "front door" not in line]
    return wrong


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_package_imports_only_packages_above_it(path: Path) -> None:
    assert misplaced_imports(package_of(path), imports_of(path)) == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_stay_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("reps", "from tensorframes.frames import Frames"),
        ("reps", "def late():\n    from ..geometry import knn"),
        ("geometry", "import tensorframes.messages"),
        ("data", "from tensorframes import TensorReps"),
        ("scoring", "import pytorch_lightning"),
        ("training", "from lightning.pytorch import Trainer"),
        ("training", "import hydra"),
        ("testing", "from tensorframes.cli import train"),
        ("errors", "from tensorframes.reps import TensorReps"),
        ("parallel", "from tensorframes.geometry import knn"),
    ],
)
def test_the_rules_catch_what_they_forbid(package: str, source: str) -> None:
    modules = set(imported_modules(ast.parse(source), f"tensorframes.{package}"))
    assert misplaced_imports(package, modules)


def test_every_folder_is_a_package() -> None:
    folders = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders - WITHOUT_CODE == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_names_what_it_offers(package: str) -> None:
    module = importlib.import_module(f"tensorframes.{package}")
    assert module.__all__
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


@pytest.mark.parametrize("name", ["tensorframes", "tensorframes.data", "tensorframes.cli"])
def test_public_names_resolve(name: str) -> None:
    package = importlib.import_module(name)
    assert [name for name in package.__all__ if not hasattr(package, name)] == []
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'Tensorreps'"):
        package.Tensorreps  # noqa: B018


def test_lazy_names_are_imported_once_and_so_are_their_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("lazy_package")
    monkeypatch.setitem(sys.modules, "lazy_package", package)
    monkeypatch.setitem(sys.modules, "lazy_package.part", SimpleNamespace(value=[]))
    package.__getattr__, package.__dir__ = lazy_names("lazy_package", {"value": "part"})
    assert "value" not in vars(package)
    assert "value" in dir(package)
    assert package.value is vars(package)["value"]
    assert package.part.value is package.value


def modules_after(statement: str) -> set[str]:
    """Top-level names of the modules loaded in a fresh interpreter by `statement`, beyond those of torch."""
    code = f"import sys, torch; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SOURCE.parent)
    return {name.split(".")[0] for name in output.stdout.split()}


def test_importing_the_package_brings_nothing_heavy() -> None:
    loaded = modules_after("import tensorframes")
    assert "tensorframes" in loaded
    assert loaded & HEAVY == set()


def test_the_core_brings_no_application() -> None:
    """Users who build layers get neither the trainer nor the configuration system."""
    loaded = modules_after("from tensorframes import NormalEstimator, TensorialMessagePassing")
    assert loaded & {"pytorch_lightning", "hydra", "wandb", "matplotlib", "open3d", "skimage", "h5py"} == set()


def test_types_are_checked_before_a_commit_as_by_make_lint() -> None:
    hooks = yaml.safe_load((SOURCE.parent / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    (pattern,) = [re.compile(hook["files"]) for hook in hooks if hook["id"] == "mypy"]
    judged = tomllib.loads((SOURCE.parent / "pyproject.toml").read_text())["tool"]["mypy"]["files"]
    files = [
        file.relative_to(SOURCE.parent).as_posix() for each in judged for file in (SOURCE.parent / each).rglob("*.py")
    ]
    assert [file for file in files if not pattern.search(file)] == []
