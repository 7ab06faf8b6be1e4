"""Scores: protocol metrics, classical estimators, errors of equivariance. Nothing here knows of training."""

from tensorframes.scoring.classical import PCA, Jet, Open3D
from tensorframes.scoring.method import Method
from tensorframes.scoring.metrics import angles, flipped, pgp, rmse
from tensorframes.scoring.protocol import score

__all__ = ["PCA", "Jet", "Method", "Open3D", "angles", "flipped", "pgp", "rmse", "score"]
