"""Clouds: reading and writing files, data sets, augmentation, corruption."""

from tensorframes.clouds.cloud import CATEGORIES, Cloud

__all__ = ["CATEGORIES", "Cloud"]
