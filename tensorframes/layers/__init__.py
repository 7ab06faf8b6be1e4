"""Parts of networks: perceptrons, encodings of edges, node features, planes of neighbourhoods, the geometry record."""

from tensorframes.layers.any_dimension import AnyDimensionConv, AnyDimensionFit, principal_axes
from tensorframes.layers.edges import EdgeEncoding
from tensorframes.layers.fusion import EdgeProduct, Fusion
from tensorframes.layers.geometry import Geometry, Requirements, measured
from tensorframes.layers.jets import jet
from tensorframes.layers.mlp import MLP, Norm, check_widths, made_norm, silu
from tensorframes.layers.moments import NeighbourhoodMoments, normalised_adjugate, sharpened
from tensorframes.layers.multiscale_planes import MultiScalePlanes, PlaneSizes, planes_around
from tensorframes.layers.node_features import ConstantFeatures, Embeddings, MomentFeatures, NodeFeatures
from tensorframes.layers.plane_features import PlaneEmbedding, PlaneFeatures
from tensorframes.layers.planes import planes_of_levels
from tensorframes.layers.pooled_moments import PooledMoments, pooled_moments
from tensorframes.layers.probe import Probe
from tensorframes.layers.profile_embedding import ProfileEmbedding
from tensorframes.layers.symmetric import smallest_eigenvector

__all__ = [
    "MLP",
    "AnyDimensionConv",
    "AnyDimensionFit",
    "ConstantFeatures",
    "EdgeEncoding",
    "EdgeProduct",
    "Embeddings",
    "Fusion",
    "Geometry",
    "MomentFeatures",
    "MultiScalePlanes",
    "NeighbourhoodMoments",
    "NodeFeatures",
    "Norm",
    "PlaneEmbedding",
    "PlaneFeatures",
    "PlaneSizes",
    "PooledMoments",
    "Probe",
    "ProfileEmbedding",
    "Requirements",
    "check_widths",
    "jet",
    "made_norm",
    "measured",
    "normalised_adjugate",
    "planes_around",
    "planes_of_levels",
    "pooled_moments",
    "principal_axes",
    "sharpened",
    "silu",
    "smallest_eigenvector",
]
