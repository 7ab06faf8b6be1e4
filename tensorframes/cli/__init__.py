"""The application: the commands and their wiring. It alone imports every package.

Its names are loaded when first used, so that ``tensorframes --help`` imports nothing heavy.
"""

from typing import TYPE_CHECKING

from tensorframes.lazy import lazy_names

if TYPE_CHECKING:
    from tensorframes.cli.cli import Run, command_line
    from tensorframes.cli.downloading import download
    from tensorframes.cli.evaluation import evaluate
    from tensorframes.cli.folders import config_dir
    from tensorframes.cli.reproduction import reproduce
    from tensorframes.cli.sharding import shards
    from tensorframes.cli.training import train

_FILE_OF = {
    "Run": "cli",
    "command_line": "cli",
    "config_dir": "folders",
    "download": "downloading",
    "evaluate": "evaluation",
    "reproduce": "reproduction",
    "shards": "sharding",
    "train": "training",
}

__all__ = ["Run", "command_line", "config_dir", "download", "evaluate", "reproduce", "shards", "train"]

__getattr__, __dir__ = lazy_names(__name__, _FILE_OF)
