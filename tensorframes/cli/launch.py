"""Several processes, one run: what Lightning starts for the other devices, and what is put back afterwards."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig

from tensorframes.cli.cli import Run


@contextmanager
def one_run(run: Run) -> Iterator[None]:
    """Within, a process started for another device repeats this very job, in this run's folder.

    Lightning starts it with this process's command line, which for a sweep would be the whole sweep, and for a single
    run would choose a new folder. It also leaves its rank and port in the environment, with which a second job of a
    sweep would wait for processes that are gone.
    """
    argv, environment, interrupt = sys.argv, dict(os.environ), signal.getsignal(signal.SIGINT)
    state = HydraConfig.instance()
    config, state.cfg = state.cfg, None  # Lightning would add Hydra's own idea of the folder
    overrides = (*run.overrides, f"hydra.run.dir={_quoted(str(run.folder))}")
    sys.argv = [argv[0], *run.words, *_config_options(argv[1:]), *overrides]
    try:
        yield
    finally:
        sys.argv, state.cfg = argv, config
        signal.signal(signal.SIGINT, interrupt)  # ignored by Lightning once there was one
        os.environ.clear()
        os.environ.update(environment)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _config_options(arguments: list[str]) -> list[str]:
    """The options that say where configurations are, without -m and the overrides."""
    args = get_args_parser().parse_args(arguments)
    options = {"--config-dir": args.config_dir, "--config-name": args.config_name}
    return [text for name, value in options.items() if value is not None for text in (name, value)]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
