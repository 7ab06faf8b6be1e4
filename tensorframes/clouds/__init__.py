"""Clouds: reading and writing files, data sets, augmentation, corruption."""

from tensorframes.clouds.archives import unpack
from tensorframes.clouds.augmentation import RandomRotation
from tensorframes.clouds.cloud import CATEGORIES, Cloud
from tensorframes.clouds.corruption import (
    Corruption,
    CorruptionMix,
    DecadesDensity,
    Misregistered,
    Outliers,
    Quantised,
)
from tensorframes.clouds.download import fetch
from tensorframes.clouds.folder import Folder
from tensorframes.clouds.io import Columns, read_cloud, write_cloud
from tensorframes.clouds.modelnet40 import ModelNet40
from tensorframes.clouds.pcpnet import PCPNet
from tensorframes.clouds.samples import TrainingSamples, WholeClouds
from tensorframes.clouds.sequence import CachedClouds
from tensorframes.clouds.shapes import Shapes

__all__ = [
    "CATEGORIES",
    "CachedClouds",
    "Cloud",
    "Columns",
    "Corruption",
    "CorruptionMix",
    "DecadesDensity",
    "Folder",
    "Misregistered",
    "ModelNet40",
    "Outliers",
    "PCPNet",
    "Quantised",
    "RandomRotation",
    "Shapes",
    "TrainingSamples",
    "WholeClouds",
    "fetch",
    "read_cloud",
    "unpack",
    "write_cloud",
]
