"""Transforms of training clouds: random rotations, and corruptions (noise, density, rounding, registration,
outliers)."""

from tensorframes.data.transforms.augmentation import RandomRotation
from tensorframes.data.transforms.corruption import (
    Corruption,
    CorruptionMix,
    CorruptionSample,
    CorruptionSampler,
    DecadesDensity,
    Density,
    FewPoints,
    Misregistered,
    Outliers,
    Quantised,
)

__all__ = [
    "Corruption",
    "CorruptionMix",
    "CorruptionSample",
    "CorruptionSampler",
    "DecadesDensity",
    "Density",
    "FewPoints",
    "Misregistered",
    "Outliers",
    "Quantised",
    "RandomRotation",
]
