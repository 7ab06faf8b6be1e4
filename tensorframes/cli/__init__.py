"""The application: the commands and their wiring. It alone imports every package.

Its names are loaded when first used, so that ``tensorframes --help`` imports nothing heavy.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorframes.cli.cli import Run, command_line
    from tensorframes.cli.downloading import download
    from tensorframes.cli.evaluation import evaluate
    from tensorframes.cli.folders import config_dir
    from tensorframes.cli.main import main
    from tensorframes.cli.reproduction import reproduce
    from tensorframes.cli.sharding import shards
    from tensorframes.cli.training import train

_FILE_OF = {
    "Run": "cli",
    "command_line": "cli",
    "config_dir": "folders",
    "download": "downloading",
    "evaluate": "evaluation",
    "main": "main",
    "reproduce": "reproduction",
    "shards": "sharding",
    "train": "training",
}

__all__ = ["Run", "command_line", "config_dir", "download", "evaluate", "main", "reproduce", "shards", "train"]


def __getattr__(name: str) -> object:
    """A public name, from the module that defines it (PEP 562)."""
    if name not in _FILE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FILE_OF[name]}"), name)
