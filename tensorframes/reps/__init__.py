"""How a feature transforms: representations as values, and rho(g) x."""

from tensorframes.reps.irreps import IrrepBlock, Irreps
from tensorframes.reps.precision import full_precision
from tensorframes.reps.rotate import transform_tensors
from tensorframes.reps.tensor_reps import TensorBlock, TensorReps

__all__ = ["IrrepBlock", "Irreps", "TensorBlock", "TensorReps", "full_precision", "transform_tensors"]
