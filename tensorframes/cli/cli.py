"""The command line: Hydra, one line for each user error, and exit codes that distinguish these from other errors."""

import atexit
import logging
import os
import re
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TextIO

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from tensorframes.cli.explain import explain, is_mistake, system_error
from tensorframes.cli.folders import config_dir, find_plugins
from tensorframes.cli.leftovers import remove_unused
from tensorframes.cli.processes import process_rank
from tensorframes.cli.runlog import write_to_log
from tensorframes.errors import UserError, ending, signals_raise

SUCCESS, FAILED, MISTAKE = 0, 1, 2


@dataclass(frozen=True)
class Run:
    """One run of the application.

    Args:
        folder: of all output. overrides: of the configuration, as typed.
        rank: of this process among those of the run; only rank 0 writes.
        words: of the command line before its options: a subcommand, or none.
    """

    folder: Path
    overrides: tuple[str, ...] = ()
    rank: int = 0
    words: tuple[str, ...] = ()


Task = Callable[[DictConfig, Run], Any]


def command_line(
    task: Task,
    config_name: str,
    arguments: Sequence[str] | None = None,
    words: tuple[str, ...] = (),
    errors: TextIO | None = None,
) -> int:
    """Compose the configuration from the command line, run ``task``, return the exit code.

    0: success. 1: the run failed, with a traceback. 2: a user error, one line on stderr. 130, 143: Ctrl-C, SIGTERM, one
    line. In a sweep the other jobs run even if one fails, and the worst code is returned; of jobs in processes of a
    launcher the first error is reported. With HYDRA_FULL_ERROR=1 user errors show their traceback, too.

    Args:
        task: called with the configuration and the run. config_name: of its configuration.
        arguments: of the command line; by default those of the process.
        words: of the command line that come before them, for processes that repeat it.
        errors: where errors are reported; by default on stderr.
    """
    argv, owner = sys.argv, os.getpid()
    wanted = os.environ.get("HYDRA_FULL_ERROR")
    given = list(argv[1:] if arguments is None else arguments)
    report = ErrorReporter(config_name, given, full=wanted == "1", stream=errors)
    codes = [SUCCESS]

    def job(cfg: DictConfig) -> Any:
        _restore("HYDRA_FULL_ERROR", wanted)  # processes that it starts get the user's environment
        try:
            return task(cfg, replace(current_run(cfg, process_rank(config_name)), words=words))
        except Exception as error:
            if os.getpid() != owner:
                report.noted(error)
                raise
            codes.append(report(error))
            if codes[-1] == MISTAKE and process_rank(config_name) == 0:
                remove_unused()
        finally:
            os.environ["HYDRA_FULL_ERROR"] = "1"

    try:
        rank = process_rank(config_name)
        sys.argv = [argv[0], *options_first(given), *apart_in_sweeps(given, rank)]
        find_plugins()
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises errors instead of printing them
        OmegaConf.register_new_resolver("run_folder", partial(run_folder, rank), replace=True)
        with signals_raise((signal.SIGINT, signal.SIGTERM)):
            hydra.main(version_base="1.3", config_path=str(config_dir()), config_name=config_name)(job)()
    except Exception as error:
        if "No trials are completed" not in str(error) or codes == [SUCCESS]:  # of Optuna, after jobs that all failed
            codes.append(report(error))
    except KeyboardInterrupt as error:
        return report.interrupted(error)
    finally:
        GlobalHydra.instance().clear()  # after some errors Hydra stays initialised, and refuses the next command
        _restore("HYDRA_FULL_ERROR", wanted)
        sys.argv = argv
    return FAILED if FAILED in codes else max(codes)


def options_first(arguments: list[str]) -> list[str]:
    """The command line with its options (-m, --cfg job) before the overrides, the only order that Hydra accepts.

    Raises:
        UserError: an option doesn't exist, or lacks its value.
    """

    def refuse(message: str) -> NoReturn:
        raise UserError(f"{message}; expected overrides like key=value, options like -m, --cfg job, --help")

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]
    overrides = parser.parse_intermixed_args(arguments).overrides
    return [argument for argument in arguments if argument not in overrides] + overrides


def apart_in_sweeps(arguments: Sequence[str], rank: int) -> list[str]:
    """The override that gives each process of a sweep but the first a folder of its own: only the first writes."""
    if rank == 0 or not any(word in ("-m", "--multirun") for word in arguments):
        return []
    return [f"hydra.sweep.dir={temporary_folder()}"]


def temporary_folder() -> str:
    """A new temporary folder, which is removed when this process ends."""
    folder = tempfile.mkdtemp(prefix="tensorframes_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@dataclass(frozen=True)
class ErrorReporter:
    """Reports an error and adds it to the run's log: a user error in one line, a failure with its traceback.

    An error that all runs of a sweep end with is reported once.

    Args:
        config_name: of the program's configuration. arguments: of the command line.
        full: whether user errors show their traceback, too. stream: where errors are reported; None: on stderr.
    """

    config_name: str
    arguments: list[str]
    full: bool
    stream: TextIO | None = None
    _printed: set[str] = field(default_factory=set, init=False)

    def __call__(self, error: Exception) -> int:
        """Report the error; returns the exit code."""
        text = self.noted(error)
        if text not in self._printed:
            print(text, file=self.stream or sys.stderr)
        self._printed.add(text)
        return MISTAKE if system_error(error) is not None or is_mistake(error) else FAILED

    def noted(self, error: Exception) -> str:
        """What is printed about an error, added to the run's log: the line of a user error, else the traceback."""
        system, whole = system_error(error), "".join(traceback.format_exception(error)).rstrip()
        line = whole
        if (system is not None or is_mistake(error)) and not self.full:
            line = f"error: {system or explain(error, self.config_name, config_dir(), self.arguments)}"
        write_to_log(line if system is None else whole, logging.ERROR)
        return line

    def interrupted(self, error: KeyboardInterrupt) -> int:
        """Report an interrupt, once for all processes of a run; returns the exit code."""
        line, code = ending(error)
        if process_rank(self.config_name) == 0:
            stream = self.stream or sys.stderr
            print(f"\n{line}" if stream.isatty() else line, file=stream)
        write_to_log(line, logging.ERROR)
        return code


def run_folder(rank: int, checkpoint: str | None, fresh: str) -> str:
    """The folder of a run in the process of a rank: that of the run it continues, or ``fresh``.

    A checkpoint belongs to a run if it lies in its ``checkpoints``. Processes other than the first write nothing and
    get a temporary folder.
    """
    if rank > 0:
        return temporary_folder()
    path = Path(str(checkpoint)) if checkpoint else None
    if path is not None and path.is_file() and path.parent.name == "checkpoints":
        return str(path.parent.parent)
    return fresh


def current_run(cfg: DictConfig, rank: int) -> Run:
    """The run that Hydra has prepared, in the process of a rank; only the first process logs.

    Raises:
        UserError: its name contains '=', ',' or a space, which would have to be quoted in paths in overrides; or a
            launcher of jobs is chosen without -m, with which alone Hydra starts it.
    """
    state = HydraConfig.get()
    if rank == 0 and state.mode == RunMode.RUN and not str(state.launcher._target_).endswith(".BasicLauncher"):
        choices = state.runtime.choices
        chosen = (
            "launcher=slurm" if choices.get("launcher") == "slurm" else f"hydra/launcher={choices['hydra/launcher']}"
        )
        raise UserError(f"expected -m with {chosen}, got none: the run would be on this machine")
    if re.search(r"[=,\s]", str(cfg.name)):
        raise UserError(f"expected a name without '=', ',' and spaces, got name={cfg.name!r}")
    if rank > 0:
        logging.getLogger().handlers = [logging.NullHandler()]
    overrides = OmegaConf.to_container(state.overrides.task, resolve=False)  # as typed, interpolations and all
    return Run(Path(state.runtime.output_dir), tuple(map(str, overrides)), rank)  # type: ignore[arg-type]


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
