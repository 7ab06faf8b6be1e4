"""Callbacks: averaged weights, the progress bar, a final validation, pictures."""

from tensorframes.training.callbacks.averaging import EMA
from tensorframes.training.callbacks.pictures import ErrorClouds
from tensorframes.training.callbacks.progress import ProgressBar
from tensorframes.training.callbacks.stopping import FinalValidation

__all__ = ["EMA", "ErrorClouds", "FinalValidation", "ProgressBar"]
