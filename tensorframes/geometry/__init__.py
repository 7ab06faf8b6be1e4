"""Neighbours, order-free sampling, edge vectors, scale, radial encodings and cut-offs."""

from tensorframes.geometry.edges import edge_vectors
from tensorframes.geometry.neighbours import knn, knn_graph, radius_graph
from tensorframes.geometry.radial import RadialEncoding, envelope
from tensorframes.geometry.sampling import independent_set, intrinsic_priority
from tensorframes.geometry.scale import cloud_scale, distinct_distances

__all__ = [
    "RadialEncoding",
    "cloud_scale",
    "distinct_distances",
    "edge_vectors",
    "envelope",
    "independent_set",
    "intrinsic_priority",
    "knn",
    "knn_graph",
    "radius_graph",
]
