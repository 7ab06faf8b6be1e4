"""Trained estimators by their name on the command line: weights of the package by name, others by their file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import is_zipfile

from tensorframes.cli.checkpoint import estimator_in, read_checkpoint
from tensorframes.cli.folders import find_plugins
from tensorframes.errors import UserError
from tensorframes.normals import PRETRAINED, Estimator, NormalEstimator, load_weights, pretrained
from tensorframes.normals.weights import SUFFIX, pretrained_path, recipe_of


class Trained(NamedTuple):
    """A trained estimator, and the recipe that it is built from."""

    name: str
    estimator: Estimator
    recipe: dict[str, Any]


def load_trained(name: str, trusted: Sequence[str], key: str, others: Sequence[str] = ()) -> Trained:
    """The estimator of that name: weights that come with the package, a weights file, or a checkpoint.

    Args:
        name: value of the setting ``key``. trusted: packages whose classes a file may name, besides this one and torch.
        key: for errors. others: further values of the setting, for errors.

    Raises:
        UserError: it is none of them, or a file that can't be used.
    """
    if name in PRETRAINED:
        return Trained(name, pretrained(name), recipe_of(pretrained_path(name)))
    try:
        if not is_checkpoint(name):
            return Trained(name, load_weights(name, trusted), recipe_of(name))
        content = read_checkpoint(name)
        return Trained(name, estimator_in(content, name, trusted), content["tensorframes"]["model"])
    except UserError as error:
        if ("/" in name or "." in name) and Path(name).exists():
            raise
        names = ", ".join([*PRETRAINED, *others])
        raise UserError(f"expected {key} to be a file or one of {names}, got {name}, which is none") from error


def is_checkpoint(name: str) -> bool:
    """Whether a file is a checkpoint, by its name or, if that does not tell, by its content; others are weights.

    So is the folder of a run: the error then names the checkpoint in it.
    """
    return name.endswith(".ckpt") or (not name.endswith(SUFFIX) and (Path(name).is_dir() or is_zipfile(name)))


def load_network(name: str, trusted: Sequence[str], key: str) -> tuple[NormalEstimator, dict[str, Any]]:
    """A network by its name, and its recipe; see ``load_trained``. Classes may be of packages in the working directory.

    Raises:
        UserError: see ``load_trained``; or the file holds another estimator.
    """
    if trusted:
        find_plugins()
    _, estimator, recipe = load_trained(name, trusted, key)
    if not isinstance(estimator, NormalEstimator):
        raise UserError(f"expected a NormalEstimator in {name}, got a {type(estimator).__name__}")
    return estimator, recipe
