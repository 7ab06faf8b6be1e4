"""Training: losses, data module, LightningModule, schedules and callbacks."""

from tensorframes.training.callbacks import (
    EMA,
    Cost,
    ErrorClouds,
    FinalValidation,
    LastCheckpoint,
    ProgressBar,
    StopAtSignal,
    StopSignals,
    stop_signals,
)
from tensorframes.training.checkpoints import WholeCheckpoints
from tensorframes.training.confidence import ConfidenceTraining, ErrorLikelihood
from tensorframes.training.csv_log import MetricsFile, read_rows
from tensorframes.training.data import CloudDataModule, CountedBatches
from tensorframes.training.finite import Diverged
from tensorframes.training.losses import OrientedLoss, UnorientedLoss, rmse_degrees
from tensorframes.training.module import NormalTraining
from tensorframes.training.schedule import WarmupCosine, WarmupStableDecay, parameter_groups

__all__ = [
    "EMA",
    "CloudDataModule",
    "ConfidenceTraining",
    "Cost",
    "CountedBatches",
    "Diverged",
    "ErrorClouds",
    "ErrorLikelihood",
    "FinalValidation",
    "LastCheckpoint",
    "MetricsFile",
    "NormalTraining",
    "OrientedLoss",
    "ProgressBar",
    "StopAtSignal",
    "StopSignals",
    "UnorientedLoss",
    "WarmupCosine",
    "WarmupStableDecay",
    "WholeCheckpoints",
    "parameter_groups",
    "read_rows",
    "rmse_degrees",
    "stop_signals",
]
