"""Configurations composed, and runs made, within a command that Hydra has already composed."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from omegaconf import DictConfig, open_dict

from tensorframes.cli.folders import config_dir


@contextmanager
def apart() -> Iterator[None]:
    """A context in which Hydra is as at the start of a program; its state and the handlers of logs are restored."""
    state, handlers = Singleton.get_state(), logging.getLogger().handlers[:]
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        Singleton.set_state(state)
        logging.getLogger().handlers = handlers


def own_folders() -> list[str]:
    """The folders of the user's own configurations, from --config-dir; none outside a command."""
    if not HydraConfig.initialized():
        return []
    sources = HydraConfig.get().runtime.config_sources
    return [source.path for source in sources if source.provider == "command-line"]


def composed_run(overrides: Sequence[str], folder: Path) -> DictConfig:
    """The configuration of ``tensorframes train`` with these overrides, for a run in a folder."""
    searched = ",".join(f"file://{path}" for path in own_folders())
    with apart(), initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        cfg = compose("train", overrides=[*overrides, *([f"hydra.searchpath=[{searched}]"] if searched else [])])
    with open_dict(cfg):
        cfg.folder = str(folder)
    return cfg
