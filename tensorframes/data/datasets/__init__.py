"""Datasets: PCPNet, ModelNet40, a folder of clouds, shards; their download, cleaning and cache."""

from tensorframes.data.datasets.archives import unpack
from tensorframes.data.datasets.chosen import evenly_spaced, first_of, part_of
from tensorframes.data.datasets.download import fetch
from tensorframes.data.datasets.folder import Folder
from tensorframes.data.datasets.interface import DataSet, Downloadable
from tensorframes.data.datasets.modelnet40 import ModelNet40
from tensorframes.data.datasets.pcpnet import PCPNet
from tensorframes.data.datasets.sequence import CachedClouds
from tensorframes.data.datasets.shards import ShardedClouds, Shards, write_shards

__all__ = [
    "CachedClouds",
    "DataSet",
    "Downloadable",
    "Folder",
    "ModelNet40",
    "PCPNet",
    "ShardedClouds",
    "Shards",
    "evenly_spaced",
    "fetch",
    "first_of",
    "part_of",
    "unpack",
    "write_shards",
]
