"""Frames, backbone and head together: points in, normals out; and the files that hold their weights."""

from tensorframes.estimator.estimator import NormalEstimator
from tensorframes.estimator.heads import AxisHead, Head, VectorHead
from tensorframes.estimator.plane_fit import PlaneFitHead
from tensorframes.estimator.prediction import Prediction

__all__ = ["AxisHead", "Head", "NormalEstimator", "PlaneFitHead", "Prediction", "VectorHead"]
