"""Corruptions of a sampled cloud: noise, thinning, rounding, misregistration, outliers."""

from tensorframes.data.transforms.corruption.corrupted import (
    CorruptedPoints,
    CorruptionSample,
    CorruptionSampler,
    corrupted_cloud,
    diagonal,
)
from tensorframes.data.transforms.corruption.decades import DecadesDensity
from tensorframes.data.transforms.corruption.few import FewPoints
from tensorframes.data.transforms.corruption.misregistered import Misregistered
from tensorframes.data.transforms.corruption.mix import ROUNDING, CorruptionMix
from tensorframes.data.transforms.corruption.outliers import Outliers
from tensorframes.data.transforms.corruption.protocol import (
    MIN_SHARE,
    PROTOCOL_NOISE,
    PROTOCOL_SUFFIX,
    Corruption,
    Density,
)
from tensorframes.data.transforms.corruption.quantised import Quantised

__all__ = [
    "MIN_SHARE",
    "PROTOCOL_NOISE",
    "PROTOCOL_SUFFIX",
    "ROUNDING",
    "CorruptedPoints",
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
    "corrupted_cloud",
    "diagonal",
]
