"""What happens to a cloud after it is sampled: noise, thinning, rounding, misregistration, outliers."""

from tensorframes.clouds.corruption.corrupted import (
    Corrupted,
    DrawnCorruption,
    DrawsCorruption,
    applied,
    diagonal,
)
from tensorframes.clouds.corruption.decades import DecadesDensity
from tensorframes.clouds.corruption.misregistered import Misregistered
from tensorframes.clouds.corruption.mix import ROUNDING, CorruptionMix
from tensorframes.clouds.corruption.outliers import Outliers
from tensorframes.clouds.corruption.protocol import (
    MIN_SHARE,
    PROTOCOL_NOISE,
    PROTOCOL_SUFFIX,
    Corruption,
    Density,
)
from tensorframes.clouds.corruption.quantised import Quantised

__all__ = [
    "MIN_SHARE",
    "PROTOCOL_NOISE",
    "PROTOCOL_SUFFIX",
    "ROUNDING",
    "Corrupted",
    "Corruption",
    "CorruptionMix",
    "DecadesDensity",
    "Density",
    "DrawnCorruption",
    "DrawsCorruption",
    "Misregistered",
    "Outliers",
    "Quantised",
    "applied",
    "diagonal",
]
