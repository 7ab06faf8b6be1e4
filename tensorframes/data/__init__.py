"""Point clouds: files, datasets, transforms, generated shapes, and the training samples made of them.

The public names are loaded when first used, so that reading and writing files (``io``) needs no torch.
"""

from typing import TYPE_CHECKING

from tensorframes.lazy import lazy_names

if TYPE_CHECKING:
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

_PART_OF = {
    "CATEGORIES": "cloud",
    "CachedClouds": "datasets",
    "Cloud": "cloud",
    "Columns": "io",
    "Corruption": "transforms",
    "CorruptionMix": "transforms",
    "DataSet": "datasets",
    "DecadesDensity": "transforms",
    "Downloadable": "datasets",
    "FewPoints": "transforms",
    "Folder": "datasets",
    "Misregistered": "transforms",
    "ModelNet40": "datasets",
    "Outliers": "transforms",
    "PCPNet": "datasets",
    "Quantised": "transforms",
    "RandomRotation": "transforms",
    "Shapes": "synthetic",
    "ShardedClouds": "datasets",
    "Shards": "datasets",
    "TrainingSamples": "samples",
    "ValidationClouds": "samples",
    "evenly_spaced": "datasets",
    "fetch": "datasets",
    "first_of": "datasets",
    "part_of": "datasets",
    "read_cloud": "io",
    "unpack": "datasets",
    "write_cloud": "io",
    "write_shards": "datasets",
}

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

__getattr__, __dir__ = lazy_names(__name__, _PART_OF)
