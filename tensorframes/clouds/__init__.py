"""Clouds: reading and writing files, data sets, augmentation, corruption."""

from tensorframes.clouds.cloud import CATEGORIES, Cloud
from tensorframes.clouds.columns import Columns
from tensorframes.clouds.formats import read_cloud, write_cloud

__all__ = ["CATEGORIES", "Cloud", "Columns", "read_cloud", "write_cloud"]
