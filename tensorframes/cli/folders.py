"""Where the configurations and the packages that they name are."""

import os
import sys
from pathlib import Path


def config_dir() -> Path:
    """The folder of the configurations: in the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / "train.yaml").is_file():
            return folder
    raise FileNotFoundError(f"expected the configurations in {package / 'configs'} or {package.parent / 'configs'}")


def groups(root: Path) -> dict[str, list[str]]:
    """The choices of each group below ``root``, by the group's name on the command line."""
    found: dict[str, list[str]] = {}
    for file in sorted(root.rglob("*.yaml")):
        if file.parent != root:
            found.setdefault(file.parent.relative_to(root).as_posix(), []).append(file.stem)
    return found


def find_plugins() -> None:
    """Add the working directory to the module search path, after installed packages.

    ``_target_`` may then name a user's own packages there, as under ``python``.
    """
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.append(os.getcwd())
