"""Callbacks: averaged weights, the progress bar, the last validation, pictures."""

from tensorframes.training.callbacks.averaging import EMA
from tensorframes.training.callbacks.pictures import ErrorClouds
from tensorframes.training.callbacks.progress import Progress
from tensorframes.training.callbacks.stopping import FinalValidation

__all__ = ["EMA", "ErrorClouds", "FinalValidation", "Progress"]
