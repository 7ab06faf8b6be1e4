"""Representations: how a feature transforms, as immutable values, and the product rho(g) x."""

from tensorframes.reps.irreps import IrrepBlock, Irreps
from tensorframes.reps.precision import full_precision
from tensorframes.reps.representation import Representation, representation
from tensorframes.reps.rotate import transform_tensors
from tensorframes.reps.tensor_reps import TensorBlock, TensorReps

__all__ = [
    "IrrepBlock",
    "Irreps",
    "Representation",
    "TensorBlock",
    "TensorReps",
    "full_precision",
    "representation",
    "transform_tensors",
]
