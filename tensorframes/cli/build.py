"""Construction of objects from the configuration; errors of their constructors are reported with the setting's key."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import getattr_static
from typing import Any, TypeVar

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from tensorframes.cli.checks import BESIDE_DATA
from tensorframes.data import DataSet, ValidationClouds, first_of, part_of
from tensorframes.errors import UserError
from tensorframes.scoring.modelnet import ROTATIONS
from tensorframes.training import CloudDataModule, NormalTraining, parameter_groups

Made = TypeVar("Made")
SPLITS = ("train", "val", "test")


def component(node: Any, key: str, **arguments: Any) -> Any:
    """The object that a node of the configuration describes.

    Args:
        node: of the configuration. key: its key, for errors.
        arguments: further arguments of the constructor.

    Raises:
        UserError: its constructor raises an error, or does not accept the arguments.
    """
    with errors_named(key):
        if not arguments:
            return instantiate(node, _convert_="all")
        make = instantiate(node, _partial_=True, _convert_="all")
        return make(**arguments)  # not through Hydra, which would convert dictionaries to nodes


@contextmanager
def errors_named(key: str) -> Iterator[None]:
    """A context in which errors of constructors become a ``UserError`` with the setting's key.

    A constructor computes little: what it raises is about its arguments, whatever its kind. Errors of files and of
    libraries that are not installed are not.
    """
    try:
        yield
    except (OSError, ImportError, MemoryError):
        raise
    except Exception as error:
        cause = (error.__cause__ or error) if isinstance(error, InstantiationException) else error
        if isinstance(cause, UserError):
            raise cause from None
        if isinstance(cause, OSError | ImportError | MemoryError):
            raise
        text = " ".join(str(cause).split())
        explained = isinstance(cause, ValueError | TypeError | MisconfigurationException | InstantiationException)
        raise UserError(f"{key}: {text if explained else f'{type(cause).__name__}: {text}'}") from cause


def data_set(cfg: DictConfig) -> DataSet:
    """The dataset: the component ``data`` without the settings in BESIDE_DATA.

    Raises:
        UserError: it has not the splits of a dataset.
    """
    own = OmegaConf.masked_copy(cfg.data, [key for key in cfg.data if key not in BESIDE_DATA])
    clouds: DataSet = component(own, "data")
    missing = [split for split in SPLITS if getattr_static(clouds, split, None) is None]  # reading one may take long
    if missing:
        got = f"{type(clouds).__name__} without {' and '.join(missing)}"
        raise UserError(f"data: expected a dataset with {', '.join(SPLITS)}, got {got}")
    return clouds


def data_module(cfg: DictConfig, clouds: DataSet, validated: int) -> CloudDataModule:
    """The data module: training batches of the dataset ``clouds``, and its first ``validated`` validation clouds.

    Raises:
        UserError: a setting is wrong, or one of these validation clouds cannot be scored. Training clouds of a dataset
            of another package are checked when they are drawn: reading all of them may take long.
    """
    for key in ("augmentation", "corruption"):  # separately first, so that an error is reported with its own key
        made = component(cfg.data[key], f"data.{key}")
        if not callable(getattr(made, "draw", None)):
            raise UserError(f"data.{key}: expected an object with a method draw, got {type(made).__name__}")
    chosen = part_of(clouds.train, cfg.data.get("train_clouds"), "data.train_clouds")
    samples = component(cfg.data.samples, "data.samples", clouds=chosen)
    validation = first_of(clouds.val, validated)
    if not checks_clouds(clouds):
        for index in range(validated):
            ValidationClouds(validation).cloud(index)
    module: CloudDataModule = component(cfg.loader, "loader", samples=samples, validation=validation)
    return module


def checks_clouds(clouds: DataSet) -> bool:
    """Whether a dataset is of this package: they check their clouds when these are cached."""
    return type(clouds).__module__.startswith("tensorframes.")


def protocol(cfg: DictConfig) -> Callable[..., dict[str, Any]]:
    """The scoring function of the dataset. Its settings are checked here, before training; it is called afterwards.

    Raises:
        UserError: a rotation group is unknown, or there is none.
    """
    made: Callable[..., dict[str, Any]] = component(cfg.data.protocol, "data.protocol")
    rotations = cfg.data.protocol.get("rotations", ROTATIONS)
    if not rotations or (unknown := [name for name in rotations if name not in ROTATIONS]):
        found = ", ".join(map(str, unknown)) if rotations else "none"
        raise UserError(f"expected data.protocol.rotations of {', '.join(ROTATIONS)}, got {found}")
    return made


def of_kind(made: Made, kind: type[Made], key: str) -> Made:
    """An object of the configuration.

    Raises:
        UserError: it is of another kind.
    """
    if not isinstance(made, kind):
        raise UserError(f"{key}: expected an instance of {kind.__name__}, got {type(made).__name__}")
    return made


def training_module(cfg: DictConfig) -> NormalTraining:
    """The estimator with its loss, optimiser and schedule, which are made once to see what they are: Lightning would
    do so only when training starts."""
    estimator, optimizer = component(cfg.model, "model"), component(cfg.optimizer, "optimizer")
    with errors_named("optimizer"):
        made = of_kind(optimizer(parameter_groups(estimator)), Optimizer, "optimizer")
    parts = {"estimator": estimator, "optimizer": optimizer, "loss": component(cfg.task.loss, "task.loss")}
    schedule = component(cfg.schedule, "schedule")
    with errors_named("schedule"):
        of_kind(schedule(made, cfg.trainer.max_steps), LRScheduler, "schedule")
    module: NormalTraining = component(cfg.module, "module", **parts, schedule=schedule, recipe=recipe(cfg))
    return module


def recipe(cfg: DictConfig) -> dict[str, Any]:
    """The recipe in a checkpoint: ``model``, from which the estimator is built, and ``config``, to continue the run."""
    return {
        "model": OmegaConf.to_container(cfg.model, resolve=True),
        "config": {**OmegaConf.to_container(cfg, resolve=False), "name": cfg.name},  # type: ignore[dict-item]
    }


def each(nodes: Mapping[str, Any] | None, key: str, kind: type = object) -> dict[str, Any]:
    """The objects of a group of several components by name, without those that are null.

    Raises:
        UserError: one is not of the kind.
    """
    given = {f"{key}.{name}": node for name, node in (nodes or {}).items() if node is not None}
    return {name.removeprefix(f"{key}."): of_kind(component(node, name), kind, name) for name, node in given.items()}


def parameters_of(module: torch.nn.Module) -> dict[str, int]:
    """Numbers of trainable parameters: in total, and of each part (backbone, frames, head)."""
    return {"total": parameter_count(module), **{name: parameter_count(part) for name, part in module.named_children()}}


def parameter_count(module: torch.nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
