"""The command ``tensorframes``: finds the subcommand and checks its libraries before any heavy import."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec

from tensorframes.cli.quiet import silence_libraries
from tensorframes.errors import interruptible, loading, missing_library, mistake


@dataclass(frozen=True)
class Command:
    """One subcommand.

    Args:
        summary: its line of the help. file: module of this package that defines it. function: in that module.
        purpose: of its libraries, for errors. needs: libraries of the extra ``train`` that it requires.
        composed: whether it is a Hydra application with overrides; others parse their arguments themselves.
    """

    summary: str
    file: str
    function: str
    purpose: str = ""
    needs: tuple[str, ...] = ()
    composed: bool = True


CONFIGURED = ("hydra", "omegaconf", "pytorch_lightning")
DATA = ("h5py", "filelock", "requests", "skimage")

COMMANDS = {
    "normals": Command("estimate normals of a point cloud file", "normals", "main", composed=False),
    "train": Command(
        "train an estimator and score it", "training", "train", "training", (*CONFIGURED, *DATA, "matplotlib")
    ),
    "evaluate": Command(
        "score a checkpoint, weights of the package or a classical method",
        *("evaluation", "evaluate", "evaluation", (*CONFIGURED, *DATA, "matplotlib")),
    ),
    "compare": Command("compare runs: scores, and settings that differ", "comparison", "main", composed=False),
    "reproduce": Command(
        "train and score the paper's matrix of networks, and test its claims",
        *("reproduction", "reproduce", "the benchmark", (*CONFIGURED, *DATA, "matplotlib")),
    ),
    "export": Command("export a trained network to one file", "exporting", "main", composed=False),
    "shards": Command("convert a dataset to shards", "sharding", "shards", "datasets", (*CONFIGURED, *DATA)),
    "download": Command("download a dataset", "downloading", "download", "datasets", (*CONFIGURED, *DATA)),
}

HELP = ("-h", "--help")


def main() -> int:
    """The command line ``tensorframes COMMAND ...``; returns the exit code."""
    return interruptible(_main)


def _main() -> int:
    name, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("--help", [])
    if name in HELP:
        return shown(usage())
    if name in ("-V", "--version"):
        import tensorframes

        return shown(f"tensorframes {tensorframes.__version__}")
    if name not in COMMANDS:
        likely = get_close_matches(name, COMMANDS, n=1)
        hint = f" (did you mean {likely[0]}?)" if likely else ""
        return mistake(f"expected a command, one of {', '.join(COMMANDS)}; got {name}{hint}")
    return run(name, arguments, words=(name,))


def run(name: str, arguments: Sequence[str], words: tuple[str, ...] = ()) -> int:
    """Run one subcommand; returns the exit code.

    Args:
        name: of COMMANDS. arguments: of the command line after it.
        words: of the command line that come before ``arguments``, for processes that repeat it.
    """
    return interruptible(lambda: _run(name, list(arguments), words))


def _run(name: str, arguments: list[str], words: tuple[str, ...]) -> int:
    command = COMMANDS[name]
    if command.composed and any(word in HELP for word in arguments):
        from tensorframes.cli.help import help_of

        return shown(help_of(name, command.summary))
    for library in command.needs:
        if find_spec(library) is None:
            return mistake(str(missing_library(library, command.purpose, "train")))
    silence_libraries()  # some speak when they are imported
    with loading():
        function = getattr(import_module(f"tensorframes.cli.{command.file}"), command.function)
    if not command.composed:
        code: int = function(arguments)
        return code
    with loading():
        from tensorframes.cli.cli import command_line
    return command_line(function, name, arguments, words)


def usage() -> str:
    """The help of the command itself."""
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:{width}}  {command.summary}" for name, command in COMMANDS.items())
    return (
        "usage: tensorframes COMMAND ...\n\n"
        "Estimate normals of point clouds, and train and score the networks that do so.\n\n"
        f"commands:\n{commands}\n\n"
        "options:\n  --version  the installed version\n"
        "  --help     this text; for a command: tensorframes COMMAND --help"
    )


def shown(text: str) -> int:
    """Print; returns the exit code."""
    print(text)
    return 0
