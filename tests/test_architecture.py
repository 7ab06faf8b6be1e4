"""The house: rooms import only rooms above them, heavy libraries stay where they belong, files stay short."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "tensorframes"

# In data order: a room imports only rooms before it.
ROOMS = (
    "reps",
    "geometry",
    "frames",
    "messages",
    "layers",
    "backbones",
    "estimator",
    "inference",
    "clouds",
    "scoring",
    "training",
    "reports",
    "app",
)
BESIDE = {"atomic", "errors", "pieces"}  # files that import no room, and that every room may import
WITHOUT_CODE = {"weights", "configs"}

# library -> the rooms that may import it
HOMES = {
    "pytorch_lightning": {"training", "app"},
    "wandb": {"training", "app"},
    "hydra": {"app"},
    "omegaconf": {"training", "app"},
    "matplotlib": {"reports"},
}
# What must not come with `import tensorframes`: each costs a good part of a second, or more.
HEAVY = {
    "h5py",
    "hydra",
    "laspy",
    "matplotlib",
    "omegaconf",
    "open3d",
    "pytorch_lightning",
    "requests",
    "rich",
    "scipy",
    "skimage",
    "torch_geometric",
    "wandb",
}
LONGEST_FILE = 300

FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    """The room a file lies in; for a file beside the rooms, its own name ("errors", "testing", "__init__")."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported_modules(tree: ast.AST, package: str) -> Iterator[str]:
    """Dotted names of every module that a file imports, inside functions too; `package` resolves relative imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            yield base
            if base == "tensorframes":
                yield from (f"{base}.{alias.name}" for alias in node.names)


def imports_of(path: Path) -> set[str]:
    package = ".".join(["tensorframes", *path.relative_to(PACKAGE).parent.parts])
    return set(imported_modules(ast.parse(path.read_text(encoding="utf-8")), package))


def allowed_rooms(room: str) -> set[str]:
    """Which rooms and files beside them a file of `room` may import."""
    if room in BESIDE:
        return set()
    if room == "testing":
        return {*ROOMS, *BESIDE} - {"app"}
    if room == "__init__":
        return set(ROOMS) - {"training", "app"}
    return {*ROOMS[: ROOMS.index(room) + 1], *BESIDE}


def misplaced_imports(room: str, modules: set[str]) -> list[str]:
    """One sentence for each import that the house forbids in `room`."""
    wrong = []
    for module in sorted(modules):
        first, *rest = module.split(".")
        if first == "tensorframes" and rest and rest[0] not in allowed_rooms(room):
            wrong.append(f"{room} imports {module}")
        if first == "tensorframes" and not rest and room != "__init__":
            wrong.append(f"{room} imports the package's front door; name the room")
        if first == "lightning":
            wrong.append(f"{room} imports {module}; write pytorch_lightning")
        if room not in HOMES.get(first, {room}):
            wrong.append(f"{room} imports {module}, at home in {sorted(HOMES[first])}")
    # `from tensorframes import room` names the package as well as the room; that is not the front door.
    if any(module.startswith("tensorframes.") for module in modules):
        wrong = [line for line in wrong if "front door" not in line]
    return wrong


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_room_imports_only_rooms_above_it(path: Path) -> None:
    assert misplaced_imports(room_of(path), imports_of(path)) == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_stay_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("reps", "from tensorframes.frames import Frames"),
        ("reps", "def late():\n    from ..geometry import knn"),
        ("geometry", "import tensorframes.messages"),
        ("clouds", "from tensorframes import TensorReps"),
        ("scoring", "import pytorch_lightning"),
        ("training", "from lightning.pytorch import Trainer"),
        ("training", "import hydra"),
        ("testing", "from tensorframes.app import train"),
        ("errors", "from tensorframes.reps import TensorReps"),
        ("pieces", "from tensorframes.geometry import knn"),
    ],
)
def test_the_rules_catch_what_they_forbid(room: str, source: str) -> None:
    modules = set(imported_modules(ast.parse(source), f"tensorframes.{room}"))
    assert misplaced_imports(room, modules)


def test_every_folder_is_a_room() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders - WITHOUT_CODE == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_names_what_it_offers(room: str) -> None:
    module = importlib.import_module(f"tensorframes.{room}")
    assert module.__all__
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_public_names_resolve() -> None:
    import tensorframes

    assert [name for name in tensorframes.__all__ if not hasattr(tensorframes, name)] == []
    assert set(tensorframes.__all__) <= set(dir(tensorframes))
    with pytest.raises(AttributeError, match="no attribute 'Tensorreps'"):
        tensorframes.Tensorreps  # noqa: B018


def modules_after(statement: str) -> set[str]:
    """Top-level names of the modules loaded in a fresh interpreter by `statement`, beyond those of torch."""
    code = f"import sys, torch; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    return {name.split(".")[0] for name in output.stdout.split()}


def test_importing_the_package_brings_nothing_heavy() -> None:
    loaded = modules_after("import tensorframes")
    assert "tensorframes" in loaded
    assert loaded & HEAVY == set()


def test_the_core_brings_no_application() -> None:
    """Users who build layers get neither the trainer nor the configuration system."""
    loaded = modules_after("from tensorframes import NormalEstimator, TensorialMessagePassing")
    assert loaded & {"pytorch_lightning", "hydra", "wandb", "matplotlib", "open3d", "skimage", "h5py"} == set()
