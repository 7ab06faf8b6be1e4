"""Trained estimators by their name on the command line: weights of the package by name, others by their file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tensorframes.cli.checkpoint import load_estimator, read_checkpoint
from tensorframes.cli.folders import find_plugins
from tensorframes.errors import UserError
from tensorframes.normals import PRETRAINED, Estimator, NormalEstimator, load_weights, pretrained
from tensorframes.normals.weights import pretrained_path, recipe_of


def named_estimator(name: str, trusted: Sequence[str], key: str, others: Sequence[str] = ()) -> Estimator:
    """The estimator of that name: weights that come with the package, a weights file, or a checkpoint.

    Args:
        name: value of the setting ``key``. trusted: packages whose classes a file may name, besides this one and torch.
        key: for errors. others: further values of the setting, for errors.

    Raises:
        UserError: it is none of them, or a file that can't be used.
    """
    if name in PRETRAINED:
        return pretrained(name)
    try:
        return load_weights(name, trusted) if name.endswith(".safetensors") else load_estimator(name, trusted)
    except UserError as error:
        if ("/" in name or "." in name) and Path(name).exists():
            raise
        names = ", ".join([*PRETRAINED, *others])
        raise UserError(f"expected {key} to be a file or one of {names}, got {name}, which is none") from error


def named_recipe(name: str) -> dict[str, Any]:
    """The recipe of the estimator of that name, which ``named_estimator`` accepts."""
    if name in PRETRAINED:
        return recipe_of(pretrained_path(name))
    if name.endswith(".safetensors"):
        return recipe_of(name)
    recipe: dict[str, Any] = read_checkpoint(name)["tensorframes"]["model"]
    return recipe


def chosen_weights(name: str, trusted: Sequence[str]) -> str | NormalEstimator:
    """The name, if it is that of weights of the package, or the estimator in the file of that name.

    Raises:
        UserError: there is no such file, or it is neither a weights file nor a checkpoint.
    """
    if trusted:
        find_plugins()
    if name in PRETRAINED:
        return name
    if not name.endswith(".ckpt"):
        return load_weights(name, trusted)
    estimator = load_estimator(name, trusted)
    if not isinstance(estimator, NormalEstimator):
        raise UserError(f"expected a NormalEstimator in {name}, got a {type(estimator).__name__}")
    return estimator
