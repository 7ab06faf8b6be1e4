"""A class and the configuration that names it say the same where both say something, but for variants on purpose."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from pydoc import locate
from typing import Any

import pytest
from omegaconf import OmegaConf

from tensorframes.cli import config_dir

VARIANTS = {
    "backbone/graph": {"pooled", "dynamic"},  # DGCNN without its two ideas
    "data/augmentation/off": {"group"},
    "data/augmentation/so3": {"group"},
    "data/augmentation/z": {"group"},
    "data/sampling/coarse_depth": {"views", "rounding", "disparity"},  # of several spacings
    "data/sampling/coarse_elevation": {"rounding"},
    "data/sampling/multibeam_sonar": {
        "strips",
        "angle",
        "zigzag",
        "noise",
        "line_noise",
        "offset",
        "plants",
        "terrain",
        "houses",
    },  # noisier than airborne LiDAR, over terrain
    "experiment/best": {"decay", "warmup"},  # longer than the default
    "train": {"k"},  # of the second PCA
}
"""What else differs from the classes. A configuration named NAME_SUFFIX is a variant of NAME, and may."""

CONFIGS = sorted(path.relative_to(config_dir()).with_suffix("").as_posix() for path in config_dir().rglob("*.yaml"))


def components(node: Any) -> Iterator[dict[str, Any]]:
    """The components of this package in a configuration."""
    if isinstance(node, dict):
        if str(node.get("_target_")).startswith("tensorframes."):
            yield node
        for value in node.values():
            yield from components(value)


def plain(value: Any) -> Any:
    """Tuples as lists, as YAML has them."""
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def differing(file: Path) -> set[str]:
    """The arguments whose value in the file is not the class's default."""
    found = set()
    for node in components(OmegaConf.to_container(OmegaConf.load(file), resolve=False)):
        parameters = inspect.signature(locate(node["_target_"])).parameters
        for key, value in node.items():
            default = parameters[key].default if key in parameters else inspect.Parameter.empty
            elsewhere = isinstance(value, dict) or "${" in str(value)  # a component, or a value of another key
            if default is not inspect.Parameter.empty and not elsewhere and plain(default) != value:
                found.add(key)
    return found


def is_variant(name: str) -> bool:
    """Whether another configuration of the group has the beginning of its name."""
    return any(name.startswith(f"{other}_") for other in CONFIGS)


@pytest.mark.parametrize("name", [name for name in CONFIGS if not is_variant(name)])
def test_defaults_agree(name: str) -> None:
    assert differing(config_dir() / f"{name}.yaml") == VARIANTS.get(name, set())


def test_a_difference_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("inner: {_target_: tensorframes.scoring.PCA, k: 19}\n")
    assert differing(tmp_path / "a.yaml") == {"k"}
