"""Point clouds: files, data sets, transforms, generated shapes, and the training samples made of them."""

from tensorframes.data.cloud import CATEGORIES, Cloud
from tensorframes.data.datasets.archives import unpack
from tensorframes.data.datasets.download import fetch
from tensorframes.data.datasets.folder import Folder
from tensorframes.data.datasets.modelnet40 import ModelNet40
from tensorframes.data.datasets.pcpnet import PCPNet
from tensorframes.data.datasets.sequence import CachedClouds
from tensorframes.data.io import Columns, read_cloud, write_cloud
from tensorframes.data.samples import TrainingSamples, ValidationClouds
from tensorframes.data.synthetic.shapes import Shapes
from tensorframes.data.transforms.augmentation import RandomRotation
from tensorframes.data.transforms.corruption import (
    Corruption,
    CorruptionMix,
    DecadesDensity,
    Misregistered,
    Outliers,
    Quantised,
)

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
    "ValidationClouds",
    "fetch",
    "read_cloud",
    "unpack",
    "write_cloud",
]
