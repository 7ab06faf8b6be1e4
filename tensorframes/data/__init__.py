"""Point clouds: files, datasets, transforms, generated shapes, and the training samples made of them.

The public names are loaded when first used, so that reading and writing files (``io``) needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

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


def __getattr__(name: str) -> object:
    """A public name, from the part that defines it, or a part (PEP 562)."""
    if name in _PART_OF.values():
        return import_module(f"{__name__}.{name}")
    if name not in _PART_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_PART_OF[name]}"), name)
    globals()[name] = value  # later look-ups find it without this function
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_PART_OF])
