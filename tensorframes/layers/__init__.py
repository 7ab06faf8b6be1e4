"""What networks are built from: perceptrons, and the features a cloud starts with."""

from tensorframes.layers.mlp import MLP
from tensorframes.layers.moments import NeighbourhoodMoments, normalised_adjugate
from tensorframes.layers.planes import planes_of_levels
from tensorframes.layers.symmetric import smallest_eigenvector

__all__ = ["MLP", "NeighbourhoodMoments", "normalised_adjugate", "planes_of_levels", "smallest_eigenvector"]
