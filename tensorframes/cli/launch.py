"""Runs of several processes: their ranks, and those that Lightning starts for further devices."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from pytorch_lightning.utilities import rank_zero_only

from tensorframes.cli.cli import Run
from tensorframes.cli.processes import without_leftovers


@contextmanager
def as_ranked(run: Run) -> Iterator[None]:
    """A context in which Lightning takes this process for the one of the run's rank: it reads variables that another
    program may have left, and then writes nothing."""
    before = rank_zero_only.rank  # type: ignore[attr-defined]
    rank_zero_only.rank = run.rank  # type: ignore[attr-defined]
    try:
        with without_leftovers():
            yield
    finally:
        rank_zero_only.rank = before  # type: ignore[attr-defined]


@contextmanager
def one_run(run: Run) -> Iterator[None]:
    """A context in which processes for further devices repeat this job, in the folder of this run.

    Lightning starts them with the command line of this process: for a sweep they would repeat the whole sweep, for a
    single run they would choose a new folder. Lightning also leaves its rank and port in the environment, so that the
    next job of a sweep would wait for processes that have ended; the environment is restored.
    """
    argv, environment, interrupt = sys.argv, dict(os.environ), signal.getsignal(signal.SIGINT)
    state = HydraConfig.instance()
    config, state.cfg = state.cfg, None  # otherwise Lightning adds Hydra's output folder
    overrides = (*run.overrides, f"hydra.run.dir={_quoted(str(run.folder))}")
    sys.argv = [argv[0], *run.words, *_config_options(argv[1:]), *overrides]
    try:
        yield
    finally:
        sys.argv, state.cfg = argv, config
        signal.signal(signal.SIGINT, interrupt)  # Lightning ignores it after the first one
        os.environ.clear()
        os.environ.update(environment)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _config_options(arguments: list[str]) -> list[str]:
    """The options --config-dir and --config-name, without -m and the overrides."""
    args = get_args_parser().parse_args(arguments)
    options = {"--config-dir": args.config_dir, "--config-name": args.config_name}
    return [text for name, value in options.items() if value is not None for text in (name, value)]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
