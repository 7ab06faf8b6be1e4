"""Neighbours, order-free sampling, levels, scale, radial encodings and envelopes."""

from tensorframes.geometry.edges import edge_vectors
from tensorframes.geometry.hierarchy import (
    Hierarchy,
    Level,
    build_hierarchy,
    coarsest_rows,
    nearest_neighbours,
    table_edges,
)
from tensorframes.geometry.neighbours import knn, knn_graph, radius_graph
from tensorframes.geometry.profile import PROFILE_SIZE, sampled_profile, variation_profile, variation_profiles
from tensorframes.geometry.radial import RadialEncoding, envelope
from tensorframes.geometry.replay import ReplayError, recording, replaying
from tensorframes.geometry.sampling import independent_set, intrinsic_priority
from tensorframes.geometry.scale import cloud_scale, distinct_distances, sampled_scale
from tensorframes.geometry.thinned import thinned_rows

__all__ = [
    "PROFILE_SIZE",
    "Hierarchy",
    "Level",
    "RadialEncoding",
    "ReplayError",
    "build_hierarchy",
    "cloud_scale",
    "coarsest_rows",
    "distinct_distances",
    "edge_vectors",
    "envelope",
    "independent_set",
    "intrinsic_priority",
    "knn",
    "knn_graph",
    "nearest_neighbours",
    "radius_graph",
    "recording",
    "replaying",
    "sampled_profile",
    "sampled_scale",
    "table_edges",
    "thinned_rows",
    "variation_profile",
    "variation_profiles",
]
