"""Trained weights as files: tensors in safetensors, and in the header the recipe of their network."""

from __future__ import annotations

import copy
import json
import re
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from pydoc import locate
from typing import Any

import torch
from torch import nn

from tensorframes.atomic import replacing
from tensorframes.errors import UserError
from tensorframes.normals.estimator import NormalEstimator

FORMAT = 1
"""Of the header. Whoever raises it teaches ``load_weights`` to read the older ones."""

PRETRAINED = ("best", "fast")
"""The weights that come with the package."""

SUFFIX = ".safetensors"


def save_weights(estimator: nn.Module, recipe: dict[str, Any], path: str | Path, about: dict[str, Any]) -> None:
    """Write an estimator's weights (float32) and how to build it again, whole or not at all.

    Args:
        estimator: its state is saved.
        recipe: plain values, from which ``built`` makes the estimator.
        path: ends in .safetensors.
        about: facts of its training; plain values.
    """
    from safetensors.torch import save

    state = {
        name: value.detach().cpu().float() if value.is_floating_point() else value.detach().cpu()
        for name, value in estimator.state_dict().items()
    }
    header = {"format": str(FORMAT), "model": json.dumps(recipe), "about": json.dumps(about)}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(save({name: value.contiguous() for name, value in state.items()}, metadata=header))


def load_weights(path: str | Path) -> NormalEstimator:
    """The estimator a weights file holds, in evaluation mode, on the CPU.

    Raises:
        UserError: there is no such file, it is not a weights file of this package, or it has another format.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise UserError(f"expected {', '.join(PRETRAINED)} or a weights file, got {path}, which is none")
    if path.suffix == ".ckpt":
        raise UserError(
            f"expected a weights file, got the checkpoint {path}: scripts/export_weights.py makes one of it"
        )
    try:
        with safe_open(str(path), framework="pt") as content:
            header = content.metadata() or {}
            state = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
        recipe = json.loads(header["model"])
        version = int(header["format"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise UserError(f"expected weights written by this program, got {path}, which holds something else") from error
    if version != FORMAT:
        raise UserError(f"expected weights of format {FORMAT}, got format {version} in {path}; of another version?")
    try:
        estimator = built(recipe)
        if not isinstance(estimator, NormalEstimator):
            raise TypeError(f"expected an estimator of normals, got {type(estimator).__name__}")
        estimator.load_state_dict(state)
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"expected weights that fit their model, got {path}: {' '.join(str(error).split())}") from error
    return estimator.eval()


def about(path: str | Path) -> dict[str, Any]:
    """The facts of its training that a weights file holds."""
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as content:
        header: dict[str, Any] = json.loads((content.metadata() or {}).get("about", "{}"))
    return header


def pretrained_path(name: str = "best") -> Path:
    """The path of weights that come with the package.

    Raises:
        UserError: there are none of that name.
    """
    path = Path(str(files("tensorframes") / "weights" / f"{name}{SUFFIX}"))
    if name not in PRETRAINED or not path.is_file():
        raise UserError(f"expected weights of {', '.join(PRETRAINED)}, got {name!r}")
    return path


def pretrained(name: str = "best") -> NormalEstimator:
    """An estimator with the weights that come with the package, on the CPU, in evaluation mode; the caller's own.

    Raises:
        UserError: there are none of that name.
    """
    return copy.deepcopy(_read_once(name))


@cache
def _read_once(name: str) -> NormalEstimator:
    return load_weights(pretrained_path(name))


def built(recipe: Any) -> Any:
    """What a recipe describes: classes of this package by ``_target_``, with their arguments; nothing else is called.

    Raises:
        ValueError: a ``_target_`` is no class of this package.
    """
    if isinstance(recipe, list):
        return [built(item) for item in recipe]
    if not isinstance(recipe, dict):
        return recipe
    arguments = {key: built(value) for key, value in recipe.items() if not key.startswith("_")}
    if "_target_" not in recipe:
        return arguments
    target = recipe["_target_"]
    found = locate(target) if str(target).startswith("tensorframes.") else None
    if not isinstance(found, type) or not found.__module__.startswith("tensorframes."):
        raise ValueError(f"expected a class of tensorframes, got {target}")
    return partial(found, **arguments) if recipe.get("_partial_") else found(**arguments)


def chosen_device(device: str | torch.device | None = None) -> torch.device:
    """A device by name; ``auto`` or None takes the first GPU if there is one.

    Raises:
        UserError: no such device here, one without data (meta), or an untested kind.
    """
    name = str(device or "auto")
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise UserError(f"expected device to be auto, cpu, cuda, cuda:NUMBER or mps, got {name}")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"expected device to be auto, cpu or one that this machine has, got {name}") from error
    return device
