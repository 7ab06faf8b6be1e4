"""Checks of settings before anything is built: unknown keys, wrong types, values that are not allowed."""

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from pydoc import locate
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from omegaconf import DictConfig, ListConfig, OmegaConf

from tensorframes.cli.explain import not_allowed
from tensorframes.errors import UserError

SPECIAL = {"_target_", "_partial_", "_args_", "_recursive_", "_convert_"}
BESIDE_DATA = ("augmentation", "corruption", "samples", "protocol", "train_clouds")
"""Keys of ``data`` that are not arguments of the dataset: training samples, their clouds, the scoring protocol."""

PLAIN = (bool, int, float, str)


def check_settings(node: Any, path: str = "") -> None:
    """Compare every component's settings with the signature of its ``_target_``.

    Raises:
        UserError: a key is not an argument, or a plain value is not of the argument's type.
    """
    if isinstance(node, ListConfig):
        for index, item in enumerate(node):
            check_settings(item, f"{path}[{index}]")
    if not isinstance(node, DictConfig):
        return
    if "_target_" in node:
        _check_component(node, path)
    for key in node:
        check_settings(node[key], f"{path}.{key!s}" if path else str(key))


def check_plain(cfg: DictConfig, hints: Mapping[str, Any], path: str = "") -> None:
    """Check settings that belong to no component against the types in ``hints``. ``path``: of cfg, with its last dot.

    Raises:
        UserError: a value is of another type.
    """
    for key, hint in hints.items():
        if key not in list(cfg):  # `in` is also false for mandatory values that are missing
            raise UserError(f"expected {path}{key} to be {described(hint)}, got none: it was deleted")
        if not fits(plain(cfg[key]), hint):
            raise UserError(f"expected {path}{key} to be {described(hint)}, got {cfg[key]!r}")


def check_seed(seed: int, path: str = "seed") -> None:
    """Check a seed; ``path``: its key.

    Raises:
        UserError: it is negative, or of more than 32 bits, which not every random generator takes.
    """
    if not 0 <= seed < 2**32:
        raise UserError(f"expected {path} in [0, 2^32), got {seed}")


def check_test_clouds(cfg: DictConfig) -> None:
    """Check the number of test clouds.

    Raises:
        UserError: it is below 1.
    """
    if cfg.test_clouds is not None and cfg.test_clouds < 1:
        raise UserError(f"expected test_clouds >= 1 or null, got {cfg.test_clouds}")


def check_components(cfg: DictConfig, keys: Sequence[str]) -> None:
    """Check that each of these settings is a component.

    Raises:
        UserError: one was deleted, or is not a component.
    """
    for key in keys:
        node = OmegaConf.select(cfg, key)
        if not isinstance(node, DictConfig) or "_target_" not in node:
            found = "none" if node is None else node
            raise UserError(f"expected {key} to be a component with a _target_, got {found}")


def check_added(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Check that +key=value adds an argument of a component, or a component; other keys would have no effect.

    Raises:
        UserError: an added key has no effect.
    """
    for override in overrides:
        key, _, value = override.partition("=")
        path = key.lstrip("+").split("@")[-1].replace("/", ".")
        if not key.startswith("+") or value == "null":
            continue
        parent, _, name = path.rpartition(".")
        node, home = OmegaConf.select(cfg, path), OmegaConf.select(cfg, parent) if parent else cfg
        if not any(isinstance(there, DictConfig) and "_target_" in there for there in (node, home)):
            raise UserError(not_allowed(path, [str(known) for known in home or [] if known != name]))


def check_folder(overrides: Sequence[str]) -> None:
    """Check that no override moves a part of a run's files: all are in Hydra's folder.

    Raises:
        UserError: one does.
    """
    for override in overrides:
        if override.lstrip("+~").partition("=")[0] == "folder":
            raise UserError(f"expected hydra.run.dir=DIR to name the folder of a run, got {override}")


def _check_component(node: DictConfig, path: str) -> None:
    target = located(node["_target_"], path)
    parameters = inspect.signature(target).parameters
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    hints = hints_of(target)
    for key in node:
        if key in SPECIAL or (path == "data" and key in BESIDE_DATA):
            continue
        if key not in parameters and not open_ended:
            raise UserError(not_allowed(f"{path}.{key!s}", list(parameters)))
        value = plain(node[key])
        if not fits(value, hints.get(str(key), Any)):
            found = "settings without a _target_" if isinstance(value, Mapping) else repr(value)
            raise UserError(f"expected {path}.{key!s} to be {described(hints[str(key)])}, got {found}")
        if key == "seed" and type(value) is int and str(node["_target_"]).startswith("tensorframes."):
            check_seed(value, f"{path}.seed")


def plain(value: Any) -> Any:
    """A configuration node as a dictionary or list, interpolations resolved; other values unchanged."""
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def located(target: str, path: str) -> Callable[..., Any]:
    """The class or function that ``_target_`` names.

    Raises:
        UserError: it does not exist.
    """
    found = locate(target)
    if not callable(found):
        raise UserError(f"expected {path}._target_ to name a class or a function that can be imported, got {target}")
    return found


def hints_of(target: Callable[..., Any]) -> dict[str, Any]:
    """The types of a callable's arguments; empty if they cannot be read."""
    try:
        return get_type_hints(inspect.getattr_static(target, "__init__") if isinstance(target, type) else target)
    except (NameError, TypeError, AttributeError):
        return {}


def fits(value: Any, hint: Any) -> bool:
    """Whether a plain value is of the type ``hint``; True for types that are not checked."""
    if hint is Any or (isinstance(value, Mapping) and "_target_" in value):
        return True  # a component is checked separately
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, option) for option in inner)
    if origin is Literal:
        return any(value == option and type(value) is type(option) for option in inner)
    if hint is type(None) or hint is None:
        return value is None
    if hint in PLAIN or hint is Path:
        kinds: dict[Any, Any] = {bool: bool, int: int, float: (int, float), str: str, Path: (str, Path)}
        accepted = kinds[hint]
        return isinstance(value, accepted) and (hint is bool or not isinstance(value, bool))
    if (origin or hint) in (list, tuple, Sequence):
        items = [option for option in inner if option is not Ellipsis]
        return isinstance(value, list | tuple) and (len(items) != 1 or all(fits(item, items[0]) for item in value))
    if (origin or hint) in (dict, Mapping):
        return isinstance(value, Mapping)
    if isinstance(value, Mapping):
        return (origin or hint) is object or not isinstance(origin or hint, type)
    return not (isinstance(value, PLAIN) and isinstance(hint, type) and hint is not object) or hint is PathLike


def described(hint: Any) -> str:
    """A type in words: 'one of a, b', 'a whole number or null'."""
    options = [hint] if get_origin(hint) not in (Union, types.UnionType) else list(get_args(hint))
    named = [str(value) for option in options if get_origin(option) is Literal for value in get_args(option)]
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "null"}
    texts = [f"one of {', '.join(dict.fromkeys(named))}"] if named else []
    for option in options:
        if get_origin(option) in (Union, types.UnionType):
            texts.append(described(option))
        elif get_origin(option) is not Literal:
            name = getattr(get_origin(option) or option, "__name__", str(option))
            texts.append(words.get(option, f"a {name.lower()}"))
    return " or ".join(dict.fromkeys(texts))
