"""How a feature transforms: representations as values, and rho(g) x."""

from tensorframes.reps.cartesian import irreducible_part, irreducible_product
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
    "irreducible_part",
    "irreducible_product",
    "representation",
    "transform_tensors",
]
