"""What networks are built from: perceptrons, encodings of edges, and the features a cloud starts with."""

from tensorframes.layers.any_dimension import AnyDimensionConv, AnyDimensionFit, principal_axes
from tensorframes.layers.edges import EdgeEncoding
from tensorframes.layers.fusion import EdgeProduct, Fusion
from tensorframes.layers.jets import jet
from tensorframes.layers.mlp import MLP, Norm, check_widths, made_norm, silu
from tensorframes.layers.moments import NeighbourhoodMoments, normalised_adjugate, sharpened
from tensorframes.layers.planes import planes_of_levels
from tensorframes.layers.probe import Probe
from tensorframes.layers.profile import KnownProfile
from tensorframes.layers.regions import WidePlanes, near_planes, regions_of_levels, wide_planes
from tensorframes.layers.symmetric import smallest_eigenvector

__all__ = [
    "MLP",
    "AnyDimensionConv",
    "AnyDimensionFit",
    "EdgeEncoding",
    "EdgeProduct",
    "Fusion",
    "KnownProfile",
    "NeighbourhoodMoments",
    "Norm",
    "Probe",
    "WidePlanes",
    "check_widths",
    "jet",
    "made_norm",
    "near_planes",
    "normalised_adjugate",
    "planes_of_levels",
    "principal_axes",
    "regions_of_levels",
    "sharpened",
    "silu",
    "smallest_eigenvector",
    "wide_planes",
]
