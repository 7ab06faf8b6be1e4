"""``tensorframes download``: fetch a dataset before the first run that needs it."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from tensorframes.cli import build
from tensorframes.cli.checks import check_added, check_components, check_settings
from tensorframes.cli.cli import Run
from tensorframes.data import Downloadable
from tensorframes.errors import UserError

log = logging.getLogger(__name__)


def download(cfg: DictConfig, run: Run) -> Path:
    """Download and unpack the files of ``cfg.data`` if they are absent; returns their folder.

    Raises:
        UserError: the dataset is not one that is downloaded, or no source has it.
    """
    check_added(cfg, run.overrides)
    check_components(cfg, ("data",))
    check_settings(cfg)
    clouds = build.data_set(cfg)
    if not isinstance(clouds, Downloadable):
        raise UserError("expected a dataset that is downloaded (data=pcpnet or data=modelnet40), got another")
    log.info("%s", clouds.folder)
    return clouds.folder
