"""Trained weights as files: tensors in safetensors, and in the header the recipe of their network."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from tensorframes.atomic import replacing
from tensorframes.errors import UserError
from tensorframes.normals.earlier_names import present_recipe, with_present_names
from tensorframes.normals.estimator import NormalEstimator
from tensorframes.normals.interface import Estimator
from tensorframes.recipes import built

Kind = TypeVar("Kind", bound=Estimator)

FORMAT = 3
"""Version of the file; 1 and 2 have other names of settings, 1 also of parameters (``earlier_names``). ``load_weights``
must read all of them."""

PRETRAINED = ("fast", "best")
"""The weights that come with the package; the first are the default."""

SUFFIX = ".safetensors"


def save_weights(estimator: nn.Module, recipe: dict[str, Any], path: str | Path, about: dict[str, Any]) -> None:
    """Write an estimator's weights (float32) and how to build it again, whole or not at all.

    Args:
        estimator: its state is saved.
        recipe: plain values, from which ``recipes.built`` constructs the estimator.
        path: of the file, ending in .safetensors.
        about: metadata of the training; plain values.
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


def load_weights(path: str | Path, trusted: Iterable[str] = ()) -> NormalEstimator:
    """The estimator a weights file holds, in evaluation mode, on the CPU.

    Args:
        path: the file.
        trusted: packages whose classes it may name, besides this one and torch.

    Raises:
        UserError: there is no such file, it is not a weights file of this package, it has another format, or it names a
            class of another package.
    """
    from safetensors import SafetensorError, safe_open

    if not isinstance(path, str | Path):
        raise UserError(f"expected {', '.join(PRETRAINED)}, a weights file or an estimator, got {type(path).__name__}")
    path = Path(path)
    if not path.is_file():
        raise UserError(f"expected {', '.join(PRETRAINED)} or a weights file, got {path}, which is none")
    if path.suffix == ".ckpt":
        raise UserError(
            f"expected a weights file, got the checkpoint {path}, which tensorframes normals and evaluate take"
        )
    try:
        with safe_open(str(path), framework="pt") as content:
            header = content.metadata() or {}
            state = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
        recipe = json.loads(header["model"])
        version = int(header["format"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise UserError(f"expected weights written by this program, got {path}, which holds something else") from error
    if not 1 <= version <= FORMAT:
        raise UserError(
            f"expected weights of format 1 to {FORMAT}, got format {version} in {path}; of another version?"
        )
    return with_weights(present_recipe(recipe, path), state, path, NormalEstimator, trusted)


def with_weights(
    recipe: Any, state: Mapping[str, Tensor], path: str | Path, kind: type[Kind], trusted: Iterable[str] = ()
) -> Kind:
    """The estimator of a recipe with its weights, in evaluation mode.

    Args:
        recipe: as in ``recipes.built``. state: its parameters and buffers, with present or earlier names.
        path: the file of both, for messages.
        kind: of estimators that are accepted.
        trusted: packages whose classes the recipe may name, besides this one and torch.

    Raises:
        UserError: the recipe names a class of another package, is none of an estimator, or the weights do not fit.
    """
    try:
        with _plain_torch():
            estimator = built(recipe, trusted)
            if not isinstance(estimator, kind):
                raise TypeError(f"expected an estimator of normals, got {type(estimator).__name__}")
            estimator.load_state_dict(with_present_names(state, estimator))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"expected weights that fit their model, got {path}: {' '.join(str(error).split())}") from error
    return estimator.eval()


@contextmanager
def _plain_torch() -> Iterator[None]:
    """Within, torch makes float32 tensors on the CPU that may be trained, whatever the caller's defaults and modes are;
    the caller's random numbers continue afterwards as if none had been drawn."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"), torch.inference_mode(False), torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_default_dtype(dtype)


def about(path: str | Path) -> dict[str, Any]:
    """The metadata of the training in a weights file."""
    return _header(path, "about")


def recipe_of(path: str | Path) -> dict[str, Any]:
    """The recipe of the network in a weights file, as ``save_weights`` takes it."""
    recipe: dict[str, Any] = present_recipe(_header(path, "model"), path)
    return recipe


def _header(path: str | Path, key: str) -> dict[str, Any]:
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as content:
        values: dict[str, Any] = json.loads((content.metadata() or {}).get(key, "{}"))
    return values


def pretrained_path(name: str = "fast") -> Path:
    """The path of weights that come with the package.

    Raises:
        UserError: there are none of that name.
    """
    path = Path(str(files("tensorframes") / "weights" / f"{name}{SUFFIX}"))
    if name not in PRETRAINED or not path.is_file():
        raise UserError(f"expected weights of {', '.join(PRETRAINED)}, got {name!r}")
    return path


def pretrained(name: str = "fast") -> NormalEstimator:
    """A new estimator with the weights that come with the package, on the CPU, in evaluation mode.

    Raises:
        UserError: there are none of that name.
    """
    with _plain_torch():
        return copy.deepcopy(_read_once(name))


@cache
def shared(name: str, device: torch.device) -> NormalEstimator:
    """``pretrained`` on a device, the same one each time: to be called, not to be changed."""
    with _plain_torch():
        return pretrained(name).to(device)


@cache
def _read_once(name: str) -> NormalEstimator:
    return load_weights(pretrained_path(name))


def chosen_device(device: str | int | torch.device | None = None) -> torch.device:
    """A device by name, or by the number of a CUDA GPU; ``auto`` or None takes the first GPU if there is one, else the
    CPU.

    Raises:
        UserError: the machine has no such device, or its kind is not supported.
    """
    name = "auto" if device is None else str(device)
    if type(device) is int and device >= 0:
        name = f"cuda:{device}"
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        lacking = ": it has no float64, which the geometry needs; take the CPU" if name.startswith("mps") else ""
        raise UserError(f"expected device to be auto, cpu, cuda or cuda:NUMBER, got {name}{lacking}")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"expected device to be auto, cpu or one that this machine has, got {name}") from error
    return device
