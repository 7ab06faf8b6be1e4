"""The application: what train.py and evaluate.py do. Wiring only; it alone sees every room."""

from tensorframes.cli.cli import Run, command_line, config_dir
from tensorframes.cli.downloading import download
from tensorframes.cli.evaluation import evaluate
from tensorframes.cli.training import train

__all__ = ["Run", "command_line", "config_dir", "download", "evaluate", "train"]
