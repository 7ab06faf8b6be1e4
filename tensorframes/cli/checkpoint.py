"""Checkpoints: read safely, and turned into an estimator."""

import pickle
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from torch import Tensor

from tensorframes.errors import UserError, needed_for
from tensorframes.normals import Estimator
from tensorframes.normals.earlier_names import present_recipe
from tensorframes.normals.weights import with_weights

UNREADABLE = (BadZipFile, zlib.error, RuntimeError, EOFError, ValueError, LookupError, AttributeError, OSError)
"""Errors of the readers of ZIP files and of torch for files that are not checkpoints."""


def read_checkpoint(path: str | Path, kept: str = "best.ckpt") -> dict[str, Any]:
    """The content of a training checkpoint; no code in the file is executed (``weights_only``).

    Args:
        path: of the file. kept: the checkpoint of a run that an error names in place of the run's folder.

    Raises:
        UserError: there is no such file, it is damaged, or it isn't a checkpoint of this program in this format.
    """
    with needed_for("checkpoints"):
        from tensorframes.training.module import FORMAT
    path = Path(path)
    if not path.is_file():
        there = path / "checkpoints" / kept
        hint = f"; that of the run there is {there}" if there.is_file() else ""
        raise UserError(
            f"expected a checkpoint file, got {path}, which is {'a folder' if path.is_dir() else 'none'}{hint}"
        )
    try:
        damaged = _damaged(path)
        content = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except (*UNREADABLE, pickle.UnpicklingError) as error:
        raise UserError(f"expected a checkpoint of tensorframes train, got {path}, which cannot be read") from error
    if damaged:
        raise UserError(f"expected a whole checkpoint, got {path}, which is damaged ({damaged})")
    if not isinstance(content, dict) or not isinstance(content.get("tensorframes"), dict):
        raise UserError(f"expected a checkpoint of tensorframes train, got {path}, which holds something else")
    found = content["tensorframes"].get("format")
    if found != FORMAT:
        raise UserError(f"expected a checkpoint of format {FORMAT}, got format {found} in {path}")
    for key in ("model", "config"):
        if not isinstance(content["tensorframes"].get(key), dict):
            raise UserError(f"expected a checkpoint with its {key}, got {path}, which has none")
    if not _are_weights(content.get("state_dict")):
        raise UserError(f"expected a checkpoint with a state_dict of tensors, got {path}, which has none")
    for key in ("model", "config"):
        content["tensorframes"][key] = present_recipe(content["tensorframes"][key], path)
    return content


def _damaged(path: Path) -> str | None:
    """The first member of the file with a wrong checksum, if any; ``torch.load`` does not check them."""
    with ZipFile(path) as archive:
        return archive.testzip()


def _are_weights(state: Any) -> bool:
    return isinstance(state, dict) and all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    )


def load_estimator(path: str | Path, trusted: Sequence[str] = ()) -> Estimator:
    """The estimator in a checkpoint, with the averaged weights if there are any, in evaluation mode.

    Args:
        path: the file. trusted: packages whose classes the checkpoint may name, besides this one and torch.

    Raises:
        UserError: as :func:`read_checkpoint`; the model names a class of another package, or the weights don't fit.
    """
    return estimator_in(read_checkpoint(path), path, trusted)


def estimator_in(content: dict[str, Any], path: str | Path, trusted: Sequence[str] = ()) -> Estimator:
    """The estimator in the content of a checkpoint; ``path``: of its file, for messages. See :func:`load_estimator`."""
    weights = {
        name.removeprefix("estimator."): value
        for name, value in content["state_dict"].items()
        if name.startswith("estimator.")
    }
    return with_weights(content["tensorframes"]["model"], weights, path, Estimator, trusted)
