"""The paper's benchmark of normals: a matrix of runs planned, made and reported."""

import json
import logging
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from inspect import getattr_static
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

import tensorframes
from tensorframes.atomic import replace_text
from tensorframes.cli import build
from tensorframes.cli.checks import check_plain, check_seed
from tensorframes.cli.cli import Run
from tensorframes.cli.matrix import (
    PlannedRun,
    check_same_matrix,
    checked_parameters,
    disk,
    hours_left,
    make_all,
    plan_table,
    planned_runs,
    seconds_of,
    sharded,
)
from tensorframes.cli.matrix.composing import composed_run
from tensorframes.cli.matrix.networks import BLOCKS
from tensorframes.cli.quiet import silence_libraries
from tensorframes.cli.results import show, shown
from tensorframes.errors import UserError
from tensorframes.reports.matrix import Record, Setup, write_report
from tensorframes.reports.table import Terminal
from tensorframes.words import counted

log = logging.getLogger(__name__)

OWN = ("scale", "target", "dry_run", "blocks", "rotation", "shard", "workers", "seed", "folder", "name", "hydra")
"""Settings of the matrix; all others are those of its runs."""

VARIED = (
    "frames",
    "messages",
    "backbone",
    "data/augmentation",
    "task",
    "experiment",
    "ckpt_path",
    "start_from",
    "test",
)
"""Settings that differ between the runs, that only a single run can have, or without which there are no scores."""


def reproduce(cfg: DictConfig, run: Run) -> None:
    """Plan the matrix; unless ``cfg.dry_run``, make its runs and write the results, tables, figures and report.

    Raises:
        UserError: a setting is wrong, the folder holds runs with other settings, or a run failed.
    """
    silence_libraries()
    plain = {"dry_run": bool, "blocks": list[str], "rotation": str, "shard": str, "workers": int, "seed": int}
    check_plain(cfg, {**plain, "folder": str})
    check_seed(cfg.seed)
    check_scale(cfg.scale)
    if cfg.workers < 0:
        raise UserError(f"expected workers >= 0, got {cfg.workers}")
    folder, runs = Path(cfg.folder), planned_runs(cfg, passed_on(run.overrides))
    mine = sharded(runs, cfg.shard)
    parameters = checked_parameters(runs, folder / "runs")
    print_plan(runs, parameters, cfg, folder)
    if cfg.dry_run:
        return
    check_same_matrix(runs, folder / "runs")
    try:
        failed = make_all(mine, folder / "runs", cfg.workers)
    finally:
        report(runs, parameters, cfg, run, folder)
    if failed:
        raise UserError(f"expected all runs to end with scores, got {len(failed)} that failed: {', '.join(failed)}")


def check_scale(scale: DictConfig) -> None:
    """Raise UserError if a setting of the scale is of another type, or a number below 0."""
    lists = {"overrides": list[str], "narrow": list[str], "sizes": list[float], "networks": list[str] | None}
    parts = {"seeds": Mapping, "seconds": Mapping, "backbones": Mapping}
    check_plain(scale, {**lists, **parts, "sized_by": str, "few_clouds": int}, "scale.")
    for key, hints in (
        ("seeds", dict.fromkeys(BLOCKS, int)),
        ("seconds", dict.fromkeys(("start", "step", "cloud"), float)),
    ):
        check_plain(scale[key], hints, f"scale.{key}.")
        for name, value in scale[key].items():
            if not value >= 0:
                raise UserError(f"expected scale.{key}.{name} >= 0, got {value}")


def passed_on(overrides: Sequence[str]) -> list[str]:
    """The overrides of this command that hold for all runs.

    Raises:
        UserError: one is of a setting that differs between the runs.
    """
    found = []
    for override in overrides:
        key = override.partition("=")[0].lstrip("+~")
        if key in VARIED:
            raise UserError(f"expected settings of all runs, got {override}, which is not one")
        if key.partition(".")[0].partition("/")[0] not in OWN:
            found.append(override)
    return found


def print_plan(runs: Sequence[PlannedRun], parameters: Mapping[str, int], cfg: DictConfig, folder: Path) -> None:
    """Print the runs by block, with their parameters, hours and disk space, and whether data are to be downloaded."""
    hours = hours_left(runs, cfg, folder / "runs")
    show(plan_table(runs, parameters, hours))
    alone = sum(hours.values())
    text = f"{counted(len(runs), 'run')}, {len(hours)} of them to make: about {alone:.1f} hours one after another"
    text += f", {alone / cfg.workers:.1f} with {cfg.workers} workers" if cfg.workers > 1 else ""
    Terminal().print(f"{text}; {disk(parameters)} in {folder}", soft_wrap=True, highlight=False)
    first = composed_run(runs[0].overrides, folder)
    root = first.data.get("root")
    absent = root is not None and not Path(root).is_dir()
    if absent and getattr_static(build.data_set(first), "folder", None) is not None:  # reading it would download
        Terminal().print(f"{root} does not exist: the first run downloads the data", soft_wrap=True, highlight=False)


def report(runs: Sequence[PlannedRun], parameters: Mapping[str, int], cfg: DictConfig, run: Run, folder: Path) -> None:
    """Write the report of the finished runs, if there are any."""
    records = [found for each in runs if (found := recorded(each, parameters[each.name], folder / "runs"))]
    if not records:
        log.info("no run is finished: no report")
        return
    setup = Setup(
        command=" ".join(("tensorframes reproduce", *run.overrides)),
        commit=commit(),
        machine=machine(),
        planned=len(runs),
        score=cfg.target.score,
        rotation=cfg.rotation,
        counts=counts(runs[0], folder),
        data=next(word.removeprefix("data=") for word in runs[0].overrides if word.startswith("data=")),
    )
    write_report(records, setup, folder)
    log.info("%s: report.md, results.csv, tables and figures", shown(folder))


def recorded(run: PlannedRun, parameters: int, runs: Path) -> Record | None:
    """What is known of a finished run; None of others."""
    file = runs / run.name / "metrics.json"
    if not file.is_file():
        return None
    network = run.network
    return Record(
        name=run.name,
        network=network.name,
        title=network.title,
        backbone=run.backbone,
        frames=network.frames,
        messages=network.messages,
        trained=network.trained,
        exact=network.exact,
        seed=run.seed,
        clouds=run.clouds,
        blocks=run.blocks,
        parameters=parameters,
        seconds=seconds_of(runs / run.name),
        metrics=json.loads(file.read_text(encoding="utf-8")),
    )


def counts(run: PlannedRun, folder: Path) -> dict[str, int]:
    """The number of clouds of each split, counted once."""
    file = folder / "clouds.json"
    if not file.is_file():
        clouds = build.data_set(composed_run(run.overrides, folder))
        found = {"train": len(clouds.train), "val": len(clouds.val), "test": len(clouds.test)}
        replace_text(file, json.dumps(found))
    content: dict[str, int] = json.loads(file.read_text(encoding="utf-8"))
    return content


def commit() -> str:
    """The version of the code: the commit of the checkout, marked where files differ from it, or the package's."""
    source = Path(tensorframes.__file__).parents[1]
    command = ["git", "-C", str(source), "describe", "--always", "--dirty", "--abbrev=12", "--match="]
    try:
        ended: Any = subprocess.run(command, capture_output=True, text=True, timeout=10)
        found = ended.stdout.strip() if ended.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired):
        found = ""
    return found if found and (source / ".git").exists() else f"version {tensorframes.__version__}"


def machine() -> str:
    """The machine of this process."""
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    cores = f"{counted(os.cpu_count() or 1, 'core')}, {platform.machine()}"
    return f"{', '.join(gpus) or 'no GPU'}; {cores}; PyTorch {torch.__version__}, Python {platform.python_version()}"
