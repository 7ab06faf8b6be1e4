"""Checkpoints: read safely, and turned into an estimator or into the configuration of the run they belong to."""

import pickle
import zlib
from collections.abc import Sequence
from pathlib import Path
from pydoc import locate
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from omegaconf import DictConfig, ListConfig, OmegaConf
from torch import Tensor

from tensorframes.cli.build import component
from tensorframes.errors import UserError
from tensorframes.training.module import FORMAT

UNREADABLE = (BadZipFile, zlib.error, RuntimeError, EOFError, ValueError, LookupError, AttributeError, OSError)
"""What the ZIP and torch's readers raise on files they cannot make sense of."""


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """A training checkpoint's content; nothing in the file is executed (``weights_only``).

    Raises:
        UserError: there is no such file, it is damaged, or it isn't a checkpoint of this program in this format.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"expected a checkpoint file, got {path}, which is none")
    try:
        damaged = _damaged(path)
        content = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except (*UNREADABLE, pickle.UnpicklingError) as error:
        raise UserError(f"expected a checkpoint written by train.py, got {path}, which cannot be read") from error
    if damaged:
        raise UserError(f"expected a whole checkpoint, got {path}, which is damaged ({damaged})")
    if not isinstance(content, dict) or not isinstance(content.get("tensorframes"), dict):
        raise UserError(f"expected a checkpoint written by train.py, got {path}, which holds something else")
    found = content["tensorframes"].get("format")
    if found != FORMAT:
        raise UserError(f"expected a checkpoint of format {FORMAT}, got format {found} in {path}")
    for key in ("model", "config"):
        if not isinstance(content["tensorframes"].get(key), dict):
            raise UserError(f"expected a checkpoint with its {key}, got {path}, which has none")
    if not _are_weights(content.get("state_dict")):
        raise UserError(f"expected a checkpoint with a state_dict of tensors, got {path}, which has none")
    return content


def _damaged(path: Path) -> str | None:
    """The first part of the file whose checksum is wrong, which ``torch.load`` would take as it is."""
    with ZipFile(path) as archive:
        return archive.testzip()


def _are_weights(state: Any) -> bool:
    return isinstance(state, dict) and all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    )


def load_estimator(path: str | Path, trusted: Sequence[str] = ("tensorframes", "torch")) -> torch.nn.Module:
    """The estimator a checkpoint holds, with the averaged weights if there are any, in evaluation mode.

    Args:
        path: the file. trusted: top-level packages whose classes the checkpoint may name.

    Raises:
        UserError: see :func:`read_checkpoint`; or the model names a class of another package, or the weights don't fit.
    """
    content = read_checkpoint(path)
    model = OmegaConf.create(content["tensorframes"]["model"])
    refuse_foreign(model, trusted, path)
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


def refuse_foreign(node: Any, trusted: Sequence[str], path: str | Path, functions: bool = False) -> None:
    """Only classes, and only of trusted packages: a file must not be able to name anything to call.

    With ``functions`` also those of this package, which a whole configuration names.

    Raises:
        UserError: a ``_target_`` is something else.
    """
    if isinstance(node, ListConfig):
        for item in node:
            refuse_foreign(item, trusted, path, functions)
    if isinstance(node, DictConfig):
        target = node.get("_target_")
        if target is not None:
            package = str(target).partition(".")[0]
            found = locate(target) if package in trusted else None
            home = str(getattr(found, "__module__", "")).partition(".")[0]
            own = functions and callable(found) and home == "tensorframes"
            if home not in trusted or not (isinstance(found, type) or own):
                raise UserError(
                    f"expected a checkpoint made of classes of {', '.join(trusted)}, got {target} in {path}; if the "
                    f"file is trustworthy: 'trusted=[{','.join([*trusted, package])}]'"
                )
        for key in node:
            if not OmegaConf.is_missing(node, key):
                refuse_foreign(node[key], trusted, path, functions)
