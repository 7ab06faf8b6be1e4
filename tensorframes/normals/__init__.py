"""Normal estimation: frames, backbone and head in one network, prediction of whole clouds, and weights files."""

from tensorframes.normals.confidence import ErrorModel, confidence, expected_error
from tensorframes.normals.elementary import elementary
from tensorframes.normals.estimate import estimate_normals, normals_and_confidence
from tensorframes.normals.estimator import NormalEstimator
from tensorframes.normals.exportable import ExportableEstimator
from tensorframes.normals.heads import AxisHead, Head, VectorHead
from tensorframes.normals.interface import Estimator
from tensorframes.normals.orient import orient_normals, sensor_position
from tensorframes.normals.plane_fit import PlaneFitHead
from tensorframes.normals.plane_head import PlaneHead
from tensorframes.normals.predict import EstimatorMethod, NormalsAndErrors, normals_and_errors_of, normals_of
from tensorframes.normals.prediction import Prediction
from tensorframes.normals.select import Select
from tensorframes.normals.sources import Jet, LocalPlanes, NeighbourPlanes, RegionPlanes
from tensorframes.normals.weighted_fit import WeightedFit
from tensorframes.normals.weights import (
    PRETRAINED,
    about,
    built,
    chosen_device,
    load_weights,
    pretrained,
    pretrained_path,
    recipe_of,
    save_weights,
)

__all__ = [
    "PRETRAINED",
    "AxisHead",
    "ErrorModel",
    "Estimator",
    "EstimatorMethod",
    "ExportableEstimator",
    "Head",
    "Jet",
    "LocalPlanes",
    "NeighbourPlanes",
    "NormalEstimator",
    "NormalsAndErrors",
    "PlaneFitHead",
    "PlaneHead",
    "Prediction",
    "RegionPlanes",
    "Select",
    "VectorHead",
    "WeightedFit",
    "about",
    "built",
    "chosen_device",
    "confidence",
    "elementary",
    "estimate_normals",
    "expected_error",
    "load_weights",
    "normals_and_confidence",
    "normals_and_errors_of",
    "normals_of",
    "orient_normals",
    "pretrained",
    "pretrained_path",
    "recipe_of",
    "save_weights",
    "sensor_position",
]
