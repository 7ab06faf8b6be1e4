"""A whole cloud in, normals out."""

from tensorframes.inference.whole import EstimatorMethod, normals_of

__all__ = ["EstimatorMethod", "normals_of"]
