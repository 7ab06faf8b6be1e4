"""``tensorframes shards``: write a dataset as shards, to be read with ``data=shards``."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from tensorframes.cli import build
from tensorframes.cli.checks import check_added, check_components, check_plain, check_settings
from tensorframes.cli.cli import Run
from tensorframes.data import part_of, write_shards
from tensorframes.errors import UserError
from tensorframes.words import counted

SPLITS = ("train", "val", "test")

log = logging.getLogger(__name__)


def shards(cfg: DictConfig, run: Run) -> Path:
    """Write the splits of ``cfg.data`` into the folder ``cfg.to``, which is returned.

    Raises:
        UserError: a setting is wrong, a cloud cannot be read, or there are other shards in the folder.
    """
    check_added(cfg, run.overrides)
    check_components(cfg, ("data",))
    check_settings(cfg)
    check_plain(cfg, {"to": str, "shards": int})
    if unknown := [split for split in cfg.splits if split not in SPLITS]:
        raise UserError(f"expected splits of {', '.join(SPLITS)}, got {unknown[0]}")
    data, folder = build.data_set(cfg), Path(cfg.to)
    for split in cfg.splits:
        clouds = getattr(data, split)
        if split == "train":
            clouds = part_of(clouds, cfg.data.get("train_clouds"), "data.train_clouds")
        files = write_shards(clouds, folder, split, cfg.shards)
        log.info("%s: %s in %s", split, counted(len(clouds), "cloud"), counted(len(files), "shard"))
    return folder
