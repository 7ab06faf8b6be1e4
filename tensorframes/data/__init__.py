"""Point clouds: files, datasets, transforms, generated shapes, and the training samples made of them."""

from tensorframes.data.cloud import CATEGORIES, Cloud
from tensorframes.data.datasets import (
    CachedClouds,
    DataSet,
    Downloadable,
    Folder,
    ModelNet40,
    PCPNet,
    ShardedClouds,
    Shards,
    evenly_spaced,
    fetch,
    first_of,
    part_of,
    unpack,
    write_shards,
)
from tensorframes.data.io import Columns, read_cloud, write_cloud
from tensorframes.data.samples import TrainingSamples, ValidationClouds
from tensorframes.data.synthetic import Shapes
from tensorframes.data.transforms import (
    Corruption,
    CorruptionMix,
    DecadesDensity,
    FewPoints,
    Misregistered,
    Outliers,
    Quantised,
    RandomRotation,
)

__all__ = [
    "CATEGORIES",
    "CachedClouds",
    "Cloud",
    "Columns",
    "Corruption",
    "CorruptionMix",
    "DataSet",
    "DecadesDensity",
    "Downloadable",
    "FewPoints",
    "Folder",
    "Misregistered",
    "ModelNet40",
    "Outliers",
    "PCPNet",
    "Quantised",
    "RandomRotation",
    "Shapes",
    "ShardedClouds",
    "Shards",
    "TrainingSamples",
    "ValidationClouds",
    "evenly_spaced",
    "fetch",
    "first_of",
    "part_of",
    "read_cloud",
    "unpack",
    "write_cloud",
    "write_shards",
]
