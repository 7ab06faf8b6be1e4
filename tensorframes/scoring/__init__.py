"""Scores: protocols and metrics, classical methods, equivariance errors, oracle bounds."""

from tensorframes.scoring.classical import PCA, Jet, Open3D
from tensorframes.scoring.confidence import confidence_scores, surface_variation
from tensorframes.scoring.equivariance import EquivarianceError, equivariance_error
from tensorframes.scoring.lie_derivative import LieDerivative, lie_derivative
from tensorframes.scoring.lower_bound import oracle_lower_bound, oracle_signs
from tensorframes.scoring.method import Method, normals_at
from tensorframes.scoring.metrics import angles, flipped, pgp, rmse
from tensorframes.scoring.modelnet import ROTATIONS, score_rotated
from tensorframes.scoring.protocol import check_clouds, score
from tensorframes.scoring.published import Deviation, deviation, published_rmse
from tensorframes.scoring.robust_pca import RobustPCA

__all__ = [
    "PCA",
    "ROTATIONS",
    "Deviation",
    "EquivarianceError",
    "Jet",
    "LieDerivative",
    "Method",
    "Open3D",
    "RobustPCA",
    "angles",
    "check_clouds",
    "confidence_scores",
    "deviation",
    "equivariance_error",
    "flipped",
    "lie_derivative",
    "normals_at",
    "oracle_lower_bound",
    "oracle_signs",
    "pgp",
    "published_rmse",
    "rmse",
    "score",
    "score_rotated",
    "surface_variation",
]
