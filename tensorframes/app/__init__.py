"""The application: what train.py and evaluate.py do. Wiring only; it alone sees every room."""

from tensorframes.app.cli import Run, command_line, config_dir
from tensorframes.app.downloading import download
from tensorframes.app.evaluation import evaluate
from tensorframes.app.training import train

__all__ = ["Run", "command_line", "config_dir", "download", "evaluate", "train"]
