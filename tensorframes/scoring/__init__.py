"""Scores: protocol metrics, classical estimators, errors of equivariance. Nothing here knows of training."""

from tensorframes.scoring.classical import PCA, Jet, Open3D
from tensorframes.scoring.equivariance import EquivarianceError, equivariance_error
from tensorframes.scoring.least_error import least_errors
from tensorframes.scoring.lie_derivative import LieDerivative, lie_derivative
from tensorframes.scoring.method import Method
from tensorframes.scoring.metrics import angles, flipped, pgp, rmse
from tensorframes.scoring.modelnet import ROTATIONS, score_rotated
from tensorframes.scoring.protocol import score

__all__ = [
    "PCA",
    "ROTATIONS",
    "EquivarianceError",
    "Jet",
    "LieDerivative",
    "Method",
    "Open3D",
    "angles",
    "equivariance_error",
    "flipped",
    "least_errors",
    "lie_derivative",
    "pgp",
    "rmse",
    "score",
    "score_rotated",
]
