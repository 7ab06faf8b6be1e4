"""Callbacks: averaged weights, cost, progress bar, final validation, last.ckpt, pictures, the end by a signal."""

from tensorframes.training.callbacks.averaging import EMA
from tensorframes.training.callbacks.cost import Cost
from tensorframes.training.callbacks.last import LastCheckpoint
from tensorframes.training.callbacks.pictures import ErrorClouds
from tensorframes.training.callbacks.progress import ProgressBar
from tensorframes.training.callbacks.signals import StopAtSignal, StopSignals, stop_signals
from tensorframes.training.callbacks.stopping import FinalValidation

__all__ = [
    "EMA",
    "Cost",
    "ErrorClouds",
    "FinalValidation",
    "LastCheckpoint",
    "ProgressBar",
    "StopAtSignal",
    "StopSignals",
    "stop_signals",
]
