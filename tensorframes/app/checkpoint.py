"""Checkpoints: read safely, and turned into an estimator or into the configuration of the run they belong to."""

import pickle
from collections.abc import Sequence
from pathlib import Path
from pydoc import locate
from typing import Any

import torch
from omegaconf import DictConfig, ListConfig, OmegaConf

from tensorframes.app.build import component
from tensorframes.errors import UserError
from tensorframes.training.module import FORMAT


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """A training checkpoint's content; nothing in the file is executed (``weights_only``).

    Raises:
        UserError: there is no such file, it isn't a checkpoint of this program, or its format is unknown.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"expected a checkpoint file, got {path}, which is none")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise UserError(f"expected a checkpoint written by train.py, got {path}, which cannot be read") from error
    if not isinstance(content, dict) or "tensorframes" not in content:
        raise UserError(f"expected a checkpoint written by train.py, got {path}, which holds something else")
    found = content["tensorframes"].get("format")
    if found != FORMAT:
        raise UserError(f"expected a checkpoint of format {FORMAT}, got format {found} in {path}")
    return content


def load_estimator(path: str | Path, trusted: Sequence[str] = ("tensorframes", "torch")) -> torch.nn.Module:
    """The estimator a checkpoint holds, with the averaged weights if there are any, in evaluation mode.

    Args:
        path: the file. trusted: top-level packages whose classes the checkpoint may name.

    Raises:
        UserError: see :func:`read_checkpoint`; or the model names a class of another package, or the weights don't fit.
    """
    content = read_checkpoint(path)
    model = OmegaConf.create(content["tensorframes"]["model"])
    _refuse_foreign(model, trusted, path)
    estimator: torch.nn.Module = component(model, "model")
    weights = {
        name.removeprefix("estimator."): value
        for name, value in content["state_dict"].items()
        if name.startswith("estimator.")
    }
    try:
        estimator.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(f"expected weights that fit the model in {path}: {' '.join(str(error).split())}") from error
    return estimator.eval()


def saved_config(path: str | Path) -> DictConfig:
    """The configuration, interpolations unresolved, of the run that wrote a checkpoint."""
    return OmegaConf.create(read_checkpoint(path)["tensorframes"]["config"])


def _refuse_foreign(node: Any, trusted: Sequence[str], path: str | Path) -> None:
    """Only classes, and only of trusted packages: a file must not be able to name any function to call."""
    if isinstance(node, ListConfig):
        for item in node:
            _refuse_foreign(item, trusted, path)
    if isinstance(node, DictConfig):
        target = node.get("_target_")
        if target is not None:
            package = str(target).partition(".")[0]
            found = locate(target) if package in trusted else None
            if not isinstance(found, type) or found.__module__.partition(".")[0] not in trusted:
                raise UserError(
                    f"expected a model made of classes of {', '.join(trusted)}, got {target} in {path}; if the file is "
                    f"trustworthy: 'trusted=[{','.join([*trusted, package])}]'"
                )
        for key in node:
            _refuse_foreign(node[key], trusted, path)
